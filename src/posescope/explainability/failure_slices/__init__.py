"""Groups of persons on which the network fails, described by rules and judged on other photographs."""
