from types import FrameType

from poolwitness.stacks import RawStack

def whole(frame: FrameType | None, /) -> RawStack: ...
