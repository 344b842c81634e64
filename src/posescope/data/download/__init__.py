"""Getting a data set: archives from their official addresses, fetched so that nothing is fetched twice, unpacked with care."""
