"""Live capture: a small privileged child hands packets on, this process parses them as an ordinary user would a file."""
