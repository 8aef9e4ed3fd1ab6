"""The query API and the board, on a read view of their own."""
