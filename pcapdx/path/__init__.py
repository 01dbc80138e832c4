"""Several captures of one incident: the same packet found at each point, clocks compared, losses counted by hop.

``trail`` keeps of each capture what tells its packets apart, ``pair`` finds those of one capture in another, ``route``
puts the captures in order and counts.
"""
