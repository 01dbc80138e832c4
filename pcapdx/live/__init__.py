"""Live capture: a small privileged child hands packets on; this process parses them as it would a file."""
