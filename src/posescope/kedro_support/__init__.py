"""Support for Kedro: hooks, configuration loader, checks of parameters, records of runs."""
