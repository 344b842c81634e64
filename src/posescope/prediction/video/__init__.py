"""Persons in videos: tracks over frames, smoothed joints, joint angles."""
