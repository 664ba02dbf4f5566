"""Makes a model large without its numbers: the feed-forward of a small GGUF file, widened by zeros."""

import struct

SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def skip_value(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, count = self.number("I"), self.number("Q")
            if inner in SCALARS:
                self.at += SCALARS[inner] * count
            else:
                for _ in range(count):
                    self.skip_value(inner)
        else:
            self.at += SCALARS[kind]


def widen(small, large, n_ff):
    """Writes `large` from `small` (float tensors only) with `n_ff` feed-forward channels."""
    data = bytearray(small.read_bytes())
    reader = Reader(data)
    reader.at = 8
    n_tensors, n_keys = reader.number("Q"), reader.number("Q")
    for _ in range(n_keys):
        key, kind = reader.text(), reader.number("I")
        if key.endswith(".feed_forward_length"):
            n_ff_before = struct.unpack_from("<I", data, reader.at)[0]
            struct.pack_into("<I", data, reader.at, n_ff)
        reader.skip_value(kind)
    head, infos, parts, offset = bytes(data[:reader.at]), b"", [], 0
    tensors = []
    for _ in range(n_tensors):
        name = reader.text()
        shape = [reader.number("Q") for _ in range(reader.number("I"))]
        tensors.append((name, shape, reader.number("I"), reader.number("Q")))
    base = -(-reader.at // ALIGNMENT) * ALIGNMENT
    for name, shape, kind, at in tensors:
        size = {0: 4, 1: 2}[kind]
        if ".ffn_" in name and "norm" not in name:
            shape, content = [n_ff if n == n_ff_before else n for n in shape], b""
        else:
            count = 1
            for n in shape:
                count *= n
            content = bytes(data[base + at:base + at + count * size])
        bytes_wanted = size
        for n in shape:
            bytes_wanted *= n
        infos += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
        infos += struct.pack(f"<{len(shape)}QIQ", *shape, kind, offset)
        parts.append((offset, content))
        offset += -(-bytes_wanted // ALIGNMENT) * ALIGNMENT
    with open(large, "wb") as out:
        out.write(head + infos)
        start = -(-out.tell() // ALIGNMENT) * ALIGNMENT
        for at, content in parts:
            out.seek(start + at)
            out.write(content)
        out.truncate(start + offset)
