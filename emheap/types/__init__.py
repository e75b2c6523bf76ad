"""The types: how bytes are read. They know nothing of heaps."""

from __future__ import annotations

from emheap.types.base import Type as Type
from emheap.types.base import check_type as check_type
from emheap.types.c_scalars import boolean as boolean
from emheap.types.c_scalars import c_types as c_types
from emheap.types.c_scalars import char as char
from emheap.types.c_scalars import float16 as float16
from emheap.types.c_scalars import intptr as intptr
from emheap.types.c_scalars import long as long
from emheap.types.c_scalars import short as short
from emheap.types.c_scalars import size_t as size_t
from emheap.types.c_scalars import ssize_t as ssize_t
from emheap.types.c_scalars import uintptr as uintptr
from emheap.types.c_scalars import ulong as ulong
from emheap.types.c_scalars import ushort as ushort
from emheap.types.c_scalars import wchar as wchar
from emheap.types.scalars import FloatingPoint as FloatingPoint
from emheap.types.scalars import Integer as Integer
from emheap.types.scalars import Scalar as Scalar
from emheap.types.scalars import clamped_uint8 as clamped_uint8
from emheap.types.scalars import float32 as float32
from emheap.types.scalars import float64 as float64
from emheap.types.scalars import int8 as int8
from emheap.types.scalars import int16 as int16
from emheap.types.scalars import int32 as int32
from emheap.types.scalars import int64 as int64
from emheap.types.scalars import pointer32 as pointer32
from emheap.types.scalars import pointer53 as pointer53
from emheap.types.scalars import pointer64 as pointer64
from emheap.types.scalars import scalar_types as scalar_types
from emheap.types.scalars import stored_types as stored_types
from emheap.types.scalars import uint8 as uint8
from emheap.types.scalars import uint16 as uint16
from emheap.types.scalars import uint32 as uint32
from emheap.types.scalars import uint64 as uint64
from emheap.types.text import Text as Text
from emheap.types.text import ascii as ascii  # noqa: A004
from emheap.types.text import text_types as text_types
from emheap.types.text import utf8 as utf8
from emheap.types.text import utf16 as utf16
from emheap.types.text import utf32 as utf32
from emheap.types.wide import WideInteger as WideInteger
from emheap.types.wide import as_wide as as_wide
from emheap.types.wide import uint128 as uint128
from emheap.types.wide import uint256 as uint256
from emheap.types.wide import wide_types as wide_types
