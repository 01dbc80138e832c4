"""What several rules mean by the same word, written once: windows, LOCAL, OBSERVABLE, ARP-DEAD, SYN-DEAD, leases."""
