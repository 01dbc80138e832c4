"""pcapdx: names the root cause of CloudStack network faults in packet captures and proves it by frame numbers."""

__version__ = "0.1.0"
