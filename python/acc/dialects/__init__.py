"""acc's dialects for `acc.ir`: their attributes and enumerations as classes, `acc.dialects.te.ScheduleAttr.get(...)`.

The modules are generated from the definitions of the dialects. Once one is imported, attributes of its dialect that
come out of the IR are of its classes.
"""
