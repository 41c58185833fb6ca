"""Planted faults and their right twins (``mini:``), to judge the judge.  None of them is a library."""
