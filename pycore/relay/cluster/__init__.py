"""Past one process: any process takes any socket, and one process owns a room and alone decides.

The process that has a page's socket is its *gateway*; the one whose lobby decides for it is its *owner*, which may be
the same. What a socket sends goes to its owner, and what the owner wants sent comes back, over a bus. Who owns what
stands in the database, as a lease with a number that grows whenever another process takes it: what an earlier owner
writes is refused. Without a bus nothing of this is loaded.
"""
