#!/usr/bin/env python3
"""A second implementation of the checking half of docs/format.md, written from that page and not from the code.

Reads every vector, decodes it by the page's rules, encodes it again, recomputes identifiers, hashes, roots and the
state, verifies signatures and proofs, and sees that altered proofs fail. Python 3.9 or later, standard library only;
Ed25519 and ECDSA are spelled out below because a check by hand should not trust a library. ML-DSA-65 signatures are
left to the test in crates/machine, since spelling them out here would double the file.

usage: python3 vectors/check.py
"""

import hashlib
import json
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


class Refused(Exception):
    """The bytes, or what they claim, do not hold."""


def need(holds, why):
    if not holds:
        raise Refused(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- Section 2: deterministic CBOR --------------------------------------------------------------------------------


class Tagged:
    def __init__(self, tag, value):
        self.tag, self.value = tag, value


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), "truncated")
        self.at += count
        return self.data[self.at - count : self.at]

    def item(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 0x1F
        if major == 7:
            need(first in (0xF4, 0xF5, 0xF6), "a simple value or float")
            return {0xF4: False, 0xF5: True, 0xF6: None}[first]
        need(info <= 27, "an indefinite length")
        value = info
        if info >= 24:
            size = 1 << (info - 24)
            value = int.from_bytes(self.take(size), "big")
            need(value >= (24 if size == 1 else 1 << (4 * size)), "a longer head than needed")
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            return self.take(value).decode("utf-8")
        if major == 4:
            return [self.item() for _ in range(value)]
        if major == 5:
            return {"map": [(self.item(), self.item()) for _ in range(value)]}
        return Tagged(value, self.item())


def decode(data):
    reader = Reader(data)
    value = reader.item()
    need(reader.at == len(data), "trailing bytes")
    return value


def head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + value.to_bytes(size, "big")
    raise Refused("a number of more than 64 bits")


def encode(value):
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        return head(5, len(value["map"])) + b"".join(encode(k) + encode(v) for k, v in value["map"])
    return head(6, value.tag) + encode(value.value)


# ---- Sections 4 and 12: keys and signatures -----------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def ed_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def ed_mul(scalar, point):
    out = IDENTITY
    while scalar:
        if scalar & 1:
            out = ed_add(out, point)
        point, scalar = ed_add(point, point), scalar >> 1
    return out


def ed_point(data):
    """Any encoding of a point, by ZIP 215: also with y >= P."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (1 << 255) - 1) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    need(x * x % P == square, "not a point")
    if x & 1 != sign:
        x = P - x
    return (x % P, y, 1, x * y % P)


BASE = ed_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519(key, message, signature):
    """Section 12: the rules of ZIP 215. What RFC 8032 accepts, these accept."""
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    need(s < L, "S is not below the group order")
    a, r_point = ed_point(key), ed_point(r)
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    minus_a, minus_r = (P - a[0], a[1], 1, P - a[3]), (P - r_point[0], r_point[1], 1, P - r_point[3])
    rest = ed_mul(8, ed_add(ed_add(ed_mul(s, BASE), ed_mul(k, minus_a)), minus_r))
    need(rest[0] % P == 0 and (rest[1] - rest[2]) % P == 0, "the Ed25519 signature fails")


P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B256 = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G256 = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def ec_add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % P256 == 0:
            return None
        slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], P256 - 2, P256)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], P256 - 2, P256)
    x = (slope * slope - p[0] - q[0]) % P256
    return (x, (slope * (p[0] - x) - p[1]) % P256)


def ec_mul(scalar, point):
    out = None
    while scalar:
        if scalar & 1:
            out = ec_add(out, point)
        point, scalar = ec_add(point, point), scalar >> 1
    return out


def es256(key, message, signature):
    need(len(key) == 65 and key[0] == 4, "not an uncompressed point")
    q = (int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big"))
    need((q[1] ** 2 - q[0] ** 3 + 3 * q[0] - B256) % P256 == 0, "not a point of P-256")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    need(0 < r < N256 and 0 < s < N256, "r or s out of range")
    w, e = pow(s, N256 - 2, N256), int.from_bytes(sha256(message), "big")
    point = ec_add(ec_mul(e * w % N256, G256), ec_mul(r * w % N256, q))
    need(point is not None and point[0] % N256 == r, "the ECDSA signature fails")


ALGORITHMS = {  # COSE number: (SubjectPublicKeyInfo prefix, key bytes, signature bytes, verify or None)
    -8: ("302a300506032b6570032100", 32, 64, ed25519),
    -7: ("3059301306072a8648ce3d020106082a8648ce3d030107034200", 65, 64, es256),
    -49: ("308207b2300b0609608648016503040312038207a100", 1952, 3309, None),
}


def spki(key):
    algorithm, data = key
    prefix, length, _, _ = ALGORITHMS[algorithm]
    need(len(data) == length, "a key of the wrong length")
    return bytes.fromhex(prefix) + data


# ---- Section 5: transactions --------------------------------------------------------------------------------------

LANES = {0, 1, 2, 3} | set(range(256, 272))


def envelope(value):
    """(algorithm, key id, payload, signature, signed bytes, transaction id)"""
    need(isinstance(value, Tagged) and value.tag == 18, "not tag 18")
    protected, unprotected, payload, signature = value.value
    need(unprotected == {"map": []}, "an unprotected header")
    (one, algorithm), (four, key_id) = decode(protected)["map"]
    need((one, four, len(key_id)) == (1, 4, 32), "another protected header")
    need(algorithm in ALGORITHMS and len(signature) == ALGORITHMS[algorithm][2], "algorithm or signature length")
    signed = encode(["Signature1", protected, b"", payload])
    return algorithm, key_id, payload, signature, signed, sha256(signed)


def content(data):
    ledger, lane, valid_until, nonce, action, root = decode(data)
    need(len(ledger) == 32 and lane in LANES and valid_until >= 0 and len(nonce) == 16, "not a content")
    need(len(root) == 32, "not a content")
    return ledger, lane, valid_until, nonce, action, root


def transaction(value):
    """(transaction id, hash of the bytes, record leaf, lane)"""
    signed, attachments = value
    *_, payload, _, _, name = envelope(signed)
    need(all(isinstance(attachment, bytes) for attachment in attachments), "not attachments")
    root = tree_root([leaf_hash(attachment) for attachment in attachments])
    need(not attachments or root == content(payload)[5], "not the attachments that the content commits to")
    bytes_hash = sha256(encode(value))
    return name, bytes_hash, leaf_hash(name + bytes_hash), content(payload)[1]


# ---- Section 8: trees ---------------------------------------------------------------------------------------------


def leaf_hash(data):
    return sha256(b"\x00", data)


def tree_root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", tree_root(leaves[:split]), tree_root(leaves[split:]))


def tree_path_root(leaf, index, size, path):
    """The root that a path leads to: the way down is known from index and size, so walk it and climb back."""
    need(0 <= index < size, "a place outside of the tree")
    turns = []
    while size > 1:
        split = 1 << (size - 1).bit_length() - 1
        turns.append(index >= split)
        index, size = (index - split, size - split) if index >= split else (index, split)
    need(len(turns) == len(path), "a path of the wrong length")
    for to_the_right, sibling in zip(reversed(turns), path):
        leaf = sha256(b"\x01", sibling, leaf) if to_the_right else sha256(b"\x01", leaf, sibling)
    return leaf


def frontier_root(value):
    size, nodes = value
    need(len(nodes) == bin(size).count("1"), "not a frontier")
    if not nodes:
        return sha256(b"")
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = sha256(b"\x01", left, root)
    return root


# ---- Section 9: state ---------------------------------------------------------------------------------------------

EMPTY = bytes(32)


def state_path(number, key):
    return sha256(b"tabellion/state/1", bytes([number]), key)


def bit(path, depth):
    return path[depth // 8] >> (7 - depth % 8) & 1


def trie_leaf(path, value_hash):
    data = sha256(path, value_hash)
    return bytes([data[0] | 0x80]) + data[1:]


def trie_node(left, right):
    data = sha256(left, right)
    return bytes([data[0] & 0x7F]) + data[1:]


def trie_root(leaves, depth=0):
    """The root over {path: value hash}."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return trie_leaf(*next(iter(leaves.items())))
    halves = [{path: value for path, value in leaves.items() if bit(path, depth) == side} for side in (0, 1)]
    return trie_node(*(trie_root(half, depth + 1) for half in halves))


def trie_proof(value, root, path):
    """The hash of the record at the path; None where none stands."""
    depth, bitmap, hashes, terminal = value
    need(0 <= depth <= 256 and len(bitmap) == (depth + 7) // 8, "not a bitmap of that depth")
    marks = [bitmap[i // 8] >> (7 - i % 8) & 1 for i in range(8 * len(bitmap))]
    need(not any(marks[depth:]) and len(hashes) == 32 * sum(marks), "siblings do not fit the bitmap")
    chunks = iter([hashes[i : i + 32] for i in range(0, len(hashes), 32)])
    siblings = [next(chunks) if mark else EMPTY for mark in marks[:depth]]
    need(sum(sibling != EMPTY for sibling in siblings) == sum(marks), "a sibling of zeros")
    node = EMPTY
    if terminal is not None:
        need(all(bit(terminal[0], i) == bit(path, i) for i in range(depth)), "a leaf off the way")
        node = trie_leaf(*terminal)
    for i in reversed(range(depth)):
        node = trie_node(siblings[i], node) if bit(path, i) else trie_node(node, siblings[i])
    need(node == root, "another state root")
    return terminal[1] if terminal is not None and terminal[0] == path else None


def page(data):
    """The slots of a page: None, a hash, or (path, value hash)."""
    used, leaves, rest = int.from_bytes(data[:2]), int.from_bytes(data[2:4]), data[4:]
    need(leaves & ~used == 0, "a leaf in an unused slot")
    slots = []
    for number in range(16):
        if not used >> number & 1:
            slots.append(None)
        elif leaves >> number & 1:
            slots.append((rest[:32], rest[32:64]))
            rest = rest[64:]
        else:
            slots.append(rest[:32])
            rest = rest[32:]
    need(not rest and all(len(b"".join(slot) if isinstance(slot, tuple) else slot or EMPTY) in (32, 64) for slot in slots), "a page's length")
    return slots


def slots_root(slots):
    """The hash over a power of two of slots."""
    full = [slot for slot in slots if slot is not None]
    if not full:
        return EMPTY
    if len(full) == 1 and isinstance(full[0], tuple):
        return trie_leaf(*full[0])
    if len(slots) == 1:
        return slots[0]
    half = len(slots) // 2
    return trie_node(slots_root(slots[:half]), slots_root(slots[half:]))


def piece(value, prefix, expected):
    """The records of a piece, and the hash of each slot below it."""
    records = {path: sha256(record) for path, record in value[-1]}
    need(list(records) == sorted(records) and len(records) == len(value[-1]), "records out of order")
    need(all(path.hex().startswith(prefix) for path in records), "a record elsewhere")
    if value[0] == 0:
        need(trie_root(records, 4 * len(prefix)) == expected, "another hash")
        return {}
    need(value[0] == 1, "not a piece")
    slots = page(value[1])
    need(slots_root(slots) == expected, "another hash")
    leaves = {slot[0]: (number, slot[1]) for number, slot in enumerate(slots) if isinstance(slot, tuple)}
    need({path: value for path, (_, value) in leaves.items()} == records, "other records")
    need(all(path.hex().startswith(f"{prefix}{number:x}") for path, (number, _) in leaves.items()), "a foreign slot")
    below = {f"{prefix}{number:x}": slot for number, slot in enumerate(slots) if isinstance(slot, bytes)}
    need(not any(slot[0] & 0x80 for slot in below.values()), "a node that is a leaf")
    return below


# ---- Sections 6, 7, 10 to 13: headers, roster, proofs -------------------------------------------------------------

HEADER = "version ledger height previous time proposer lanes_root state_root roster next_roster history_root".split()
LANE_HEADER = "ledger lane height time previous records_root record_count latest_expiry history_root".split()


def fields(names, value):
    need(isinstance(value, list) and len(value) == len(names), "another number of fields")
    named = dict(zip(names, value))
    need(named.get("version", 1) == 1, "another version")
    return named


class Trust:
    """What the genesis document alone says."""

    def __init__(self, genesis):
        version, _, _, _, validators, _, _ = decode(genesis)
        need(version == 1, "another version")
        self.ledger = sha256(genesis)
        roster = [0, [validator for validator, _ in validators]]
        self.take(*roster)

    def take(self, number, validators):
        self.number, self.validators, self.roster = number, validators, sha256(encode([number, validators]))
        keys = [key for key, _, _ in validators]
        need(keys == sorted(set(keys)) and 1 <= len(keys) <= 128, "not a roster")
        self.quorum = 2 * len(keys) // 3 + 1

    def after(self, number, validators):
        """The same ledger after a change of validators."""
        later = object.__new__(Trust)
        later.ledger = self.ledger
        later.take(number, validators)
        return later


def varint(value):
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def in_round(trust, name, epoch, view):
    namespace = b"tabellion/consensus/1" + trust.ledger + name
    return varint(len(namespace)) + namespace + varint(epoch) + varint(view)


def vote(trust, epoch, view, parent_view, header_hash, name=b"_FINALIZE"):
    return in_round(trust, name, epoch, view) + varint(parent_view) + header_hash


def equivocation(value, trust):
    """The two messages, after a check of their signatures."""
    kind, epoch, view, key, first, second = value
    need(kind in (0, 1, 2) and len(key) == 32, "not an equivocation")
    name = b"_NOTARIZE" if kind == 0 else b"_FINALIZE"
    if kind == 2:
        first_message, first_signature = in_round(trust, b"_NULLIFY", epoch, view), first
    else:
        need(first[:2] < second[:2], "votes out of order, or for one block")
        first_message, first_signature = vote(trust, epoch, view, first[0], first[1], name), first[2]
    messages = [first_message, vote(trust, epoch, view, second[0], second[1], name)]
    for message, signature in zip(messages, [first_signature, second[2]]):
        need(len(signature) == 64, "a signature of the wrong length")
        ed25519(key, message, signature)
    return messages


def finality_proof(value, trust):
    """The final header."""
    header, epoch, view, parent_view, signatures = value
    named = fields(HEADER, header)
    need((named["ledger"], named["roster"]) == (trust.ledger, trust.roster), "not of this ledger")
    need(len(signatures) >= trust.quorum, "too few signatures")
    signers = [index for index, _ in signatures]
    need(signers == sorted(set(signers)) and signers[-1] < len(trust.validators), "signers")
    message = vote(trust, epoch, view, parent_view, sha256(encode(header)))
    for index, signature in signatures:
        need(len(signature) == 64, "a signature of the wrong length")
        ed25519(trust.validators[index][0], message, signature)
    return named


def hand_over(value, trust):
    """Who is trusted from then on, and the last height of those before."""
    last, (number, validators), between, accepted = value
    header, roster = finality_proof(last, trust), sha256(encode(value[1]))
    need(header["next_roster"] == roster != header["roster"] and number == trust.number + 1, "another roster")
    before = last[0]
    for one in [*between, accepted[0]]:
        named, above = fields(HEADER, one), fields(HEADER, before)
        need(named["previous"] == sha256(encode(before)) and named["height"] == above["height"] + 1, "no link")
        need(named["roster"] == roster and named["time"] >= above["time"], "no link")
        before = one
    later = trust.after(number, validators)
    finality_proof(accepted, later)
    return later, header["height"]


def state_proof(value, trust, number, key):
    """(header, record or None)"""
    found_number, found_key, record, trie, finality = value
    need((found_number, found_key) == (number, key), "another key")
    header = finality_proof(finality, trust)
    value_hash = trie_proof(trie, header["state_root"], state_path(number, key))
    need(value_hash == (None if record is None else sha256(record)), "another record")
    return header, record


def proved_header(value, trust):
    finality, older = value
    header = finality_proof(finality, trust)
    if older is None:
        return header
    earlier, path = fields(HEADER, older[0]), older[1]
    leaf = leaf_hash(sha256(encode(older[0])))
    root = tree_path_root(leaf, earlier["height"], header["height"], path)
    need(root == header["history_root"], "not in the history")
    return earlier


def record_proof(value, trust, name):
    proved, lanes, lane_header, index, path, data = value
    header, lane = proved_header(proved, trust), fields(LANE_HEADER, lane_header)
    need(lane["height"] == header["height"] and sha256(encode(lane_header)) in lanes, "another lane header")
    need(tree_root([leaf_hash(one) for one in lanes]) == header["lanes_root"], "another lanes root")
    found, _, leaf, _ = transaction(decode(data))
    need(found == name, "another transaction")
    need(tree_path_root(leaf, index, lane["record_count"], path) == lane["records_root"], "not in the lane")
    return header


def block(value):
    """The header, after a check of the body."""
    header, bodies, _ = value
    named = fields(HEADER, header)
    lanes = [fields(LANE_HEADER, lane) for lane, _ in bodies]
    numbers = [lane["lane"] for lane in lanes]
    need(numbers == sorted(set(numbers)), "lanes out of order")
    for lane, (_, records) in zip(lanes, bodies):
        need(all(lane[name] == named[name] for name in ("ledger", "height", "time")), "a lane of another block")
        need(len(records) == lane["record_count"] > 0, "another number of records")
        leaves = [transaction(record) for record in records]
        need(all(leaf[3] == lane["lane"] for leaf in leaves), "a record of another lane")
        need(tree_root([leaf[2] for leaf in leaves]) == lane["records_root"], "another records root")
    roots = [leaf_hash(sha256(encode(lane))) for lane, _ in bodies]
    need(tree_root(roots) == named["lanes_root"], "another lanes root")
    return named


def outline(value, header):
    """Checks an outline against its block's header."""
    need(tree_root([leaf_hash(sha256(encode(lane))) for lane, _ in value]) == header["lanes_root"], "another lanes root")
    for lane, records in value:
        named = fields(LANE_HEADER, lane)
        if records is not None:
            need(len(records) == named["record_count"], "another number of records")
            leaves = [leaf_hash(name + bytes_hash) for name, bytes_hash in records]
            need(tree_root(leaves) == named["records_root"], "another records root")


# ---- Section 14: the certificate lane -----------------------------------------------------------------------------


def standing(record, at):
    if record is None:
        return "unknown"
    need(len(decode(record)) == 13, "not a record of a certificate")
    status, _, _, _, _, (start, until), *_ = decode(record)
    if status != 0:
        return {1: "suspended", 2: "revoked"}[status]
    return "expired" if until < at else "unknown" if at < start else "valid"


def evidence(value):
    kind, digest, signer, at, until, number = value
    need(kind in (0, 1, 2, 3) and len(digest) == len(signer) == 32 and at <= until, "not an evidence")
    need(len(number) <= 20 and number[:1] != b"\0", "not a number")
    return kind, digest, signer


def certificate_record(value):
    need(len(value) == 13, "not a record of a certificate")
    status, reason, sequence, *_, submitter, used, previous = value
    need(status == {None: 0, 6: 1}.get(reason, 2) and reason in (None, 0, 1, 2, 3, 4, 5, 6, 9, 10), "another status")
    need((sequence == 0) == (used is None) == (previous is None), "no history")
    need(len(submitter) == 32, "no submitter")
    if used is not None:
        evidence(used)


ED25519 = bytes.fromhex("300506032b6570")


def signed_with(key, message, signature):
    algorithm, content = signature
    need(algorithm == ED25519, "another algorithm")
    ed25519(key, message, content)


def statement(value, ledger):
    """Section 14.5: a CA's statement; what it signs, and what it says."""
    signed, _ = value
    context, named, certificate, reason, at, sequence = decode(signed)
    need(context == "tabellion/ca-statement/1" and named == ledger, "not a statement for this ledger")
    return signed, certificate, reason, at, sequence


def result(value):
    """Section 14.5: a result, as the host ledger numbers it."""
    need(len(value) == 9, "not a result")
    certificate, status, reason, sequence, _, _, (start, until), record, request = value
    need(status == {None: 0, 6: 1}.get(reason, 2), "another status")
    need(len(certificate) == len(record) == 32 and start <= until, "not a result")
    need(request is None or len(request) == 32, "not a request")
    return certificate, status, sequence


def relay(value):
    """Section 14.5: the header, the older one, how many results there are, and the results brought."""
    ledger, roster, hand_overs, delivery = value
    trust = object.__new__(Trust)
    trust.ledger = ledger
    trust.take(*roster)
    for one in hand_overs:
        trust, _ = hand_over(one, trust)
    need(delivery is not None, "nothing is delivered")
    proved, outbox, first, records = delivery
    header = finality_proof(proved[0], trust)
    older = None if proved[1] is None else proved_header(proved, trust)

    def record(one, key):
        data, trie = one
        value_hash = trie_proof(trie, header["state_root"], state_path(6, key))
        need(value_hash == (None if data is None else sha256(data)), "another record")
        return None if data is None else decode(data)

    found = record(outbox, b"outbox")
    count = 0 if found is None else found[0]
    results = [record(one, b"outbox/" + (first + n).to_bytes(8, "big")) for n, one in enumerate(records)]
    need(None not in results, "a result that is none")
    return header, older, count, [result(one) for one in results]


# ---- The vectors --------------------------------------------------------------------------------------------------


RECORDS = "HistoryState LaneState CertificateRecord KeyRecord Scheduled NoticeRecord".split()
RECORDS += "Outbox OutboxEntry ForeignRecord FollowedLedger Link".split()


class Vectors:
    def __init__(self):
        self.rows = json.loads((FOLDER / "index.json").read_text())
        self.bytes = {row["name"]: bytes.fromhex((FOLDER / (row["name"] + ".hex")).read_text()) for row in self.rows}
        self.trust = Trust(self.bytes["genesis"])

    def check(self, row):
        data, facts, kind = self.bytes[row["name"]], row["facts"], row["type"]
        need(len(data) == row["bytes"], "another length")
        say = lambda name, value: need(facts[name] == value.hex(), f"{name} is {value.hex()}")
        if kind == "Certificate":
            return say("certificate_id", sha256(data))
        if kind in ("OcspResponse", "CertificateList"):
            return say("hash", sha256(data))
        if kind == "StateRoot":
            state = {state_path(n, bytes.fromhex(k)): sha256(bytes.fromhex(v)) for n, k, v in facts["records"]}
            need(trie_root(state) == data == fields(HEADER, decode(self.bytes["header-3"]))["state_root"], "root")
            return self.first_state(facts["records"])
        value = decode(data)
        need(encode(value) == data, "encodes to other bytes")
        if kind == "PublicKey":
            say("spki", spki(value))
            say("key_id", sha256(spki(value)))
        elif kind == "Genesis":
            say("ledger_id", self.trust.ledger)
        elif kind == "Roster":
            say("roster_hash", sha256(data))
            need(sha256(data) == self.trust.roster and facts["quorum"] == self.trust.quorum, "another roster")
        elif kind == "Envelope":
            algorithm, key_id, payload, signature, signed, name = envelope(value)
            key = decode(self.bytes[facts["key"]])
            need(key[0] == algorithm and sha256(spki(key)) == key_id, "another key")
            say("signed", signed)
            say("transaction_id", name)
            need(content(payload)[0] == self.trust.ledger, "another ledger")
            if ALGORITHMS[algorithm][3]:
                ALGORITHMS[algorithm][3](key[1], signed, signature)
        elif kind == "Content":
            content(data)
        elif kind == "Transaction":
            name, bytes_hash, leaf, _ = transaction(value)
            say("transaction_id", name)
            say("bytes_hash", bytes_hash)
            say("record_leaf", leaf)
        elif kind == "Block":
            block(value)
            say("digest", sha256(encode(value[0])))
            need(facts["lanes"] == [sha256(encode(lane)).hex() for lane, _ in value[1]], "lane header hashes")
            records = [record for _, records in value[1] for record in records]
            need(facts["record_leaves"] == [transaction(record)[2].hex() for record in records], "record leaves")
        elif kind in ("Header", "LaneHeader"):
            fields(HEADER if kind == "Header" else LANE_HEADER, value)
            say("hash", sha256(data))
            say("leaf", leaf_hash(sha256(data)))
        elif kind in RECORDS:
            say("path", state_path(facts["map"], bytes.fromhex(facts["key"])))
            say("value_hash", sha256(data))
            if kind == "CertificateRecord":
                certificate_record(value)
            if kind == "NoticeRecord":
                height, time, submitter = value
                need(facts["map"] == 5 and len(bytes.fromhex(facts["key"])) == 8, "not the key of a notice")
                need(int.from_bytes(bytes.fromhex(facts["key"]), "big") < height, "a later block")
                need(time == fields(HEADER, decode(self.bytes["header-3"]))["time"] and len(submitter) == 32, "time")
            self.composed_record(kind, value, bytes.fromhex(facts["key"]))
            if kind == "HistoryState":
                root = fields(HEADER, decode(self.bytes["header-3"]))["history_root"]
                need(frontier_root(value) == root, "another history root")
        elif kind == "FinalityProof":
            header = finality_proof(value, self.trust)
            need(header["height"] == 3, "another header")
            say("message", vote(self.trust, *value[1:4], sha256(encode(value[0]))))
        elif kind == "Equivocation":
            messages = equivocation(value, self.trust)
            need(facts["messages"] == [message.hex() for message in messages], "messages")
            need(value[3] == self.trust.validators[2][0], "another validator")
        elif kind == "HandOver":
            later, height = hand_over(value, self.trust)
            say("roster_hash", later.roster)
            need(height == facts["last_height"], "another height")
        elif kind == "Piece":
            below = piece(value, facts["prefix"], bytes.fromhex(facts["hash"]))
            if facts["prefix"] == "":
                need(facts["hash"] == self.bytes["state-3"].hex(), "another state root")
            if value[0] == 1:
                row = next(row for row in self.rows if row["name"] == "piece-below")["facts"]
                need(below[row["prefix"]].hex() == row["hash"], "another hash below")
        elif kind == "Outline":
            outline(value, fields(HEADER, decode(self.bytes[f"header-{facts['height']}"])))
        elif kind == "TrieProof":
            trie_proof(value, bytes.fromhex(facts["root"]), bytes.fromhex(facts["path"]))
        elif kind == "StateProof":
            key = bytes.fromhex(facts["key"])
            say("path", state_path(facts["map"], key))
            header, record = state_proof(value, self.trust, facts["map"], key)
            need((record is not None) == facts["present"], "presence")
            if facts["map"] == 2:
                return standing(record, header["time"])
        elif kind == "ProvedHeader":
            proved_header(value, self.trust)
            say("hash", sha256(encode(value[1][0])))
        elif kind == "RecordProof":
            header = record_proof(value, self.trust, bytes.fromhex(facts["transaction_id"]))
            need(header["height"] == facts["height"], "another height")
        elif kind == "ChainHeader":
            need(value[0] in (0, 1), "not a chain header")
        elif kind == "SignedStatement":
            signed, certificate, *_ = statement(value, self.trust.ledger)
            say("signed", signed)
            need(certificate == sha256(self.bytes["lifecycle-old"]), "another certificate")
            signed_with(bytes.fromhex(facts["signer_key"]), signed, value[1])
        elif kind == "Action" and value[0] == 1:
            self.changes(value[1])
        elif kind == "Action" and value[0] == 3:
            heights = value[1]
            need(1 <= len(heights) <= 1024 and heights == sorted(set(heights)), "blocks out of order")
        elif kind == "Action" and value[0] == 4:
            header, older, count, results = relay(value[1])
            need(value[1][0] == self.trust.ledger and sha256(encode(value[1][1])) == self.trust.roster, "another ledger")
            say("hash", sha256(encode(value[1][3][0][0][0])))
            say("state_root", header["state_root"])
            need((older["height"], count, [one[1] for one in results]) == (3, 2, [0, 2]), "another relay")
        elif kind == "Action" and value[0] == 2:
            (new, *_), old, _, signature = value[1]
            message = encode(["tabellion/renewal/1", self.trust.ledger, old, new])
            say("signed", message)
            signed_with(bytes.fromhex(facts["signer_key"]), message, signature)
        else:
            need(kind in ("Action", "ConsortiumAction", "Parameters"), f"an unknown type {kind}")
        return None

    def composed_record(self, kind, value, key):
        """Section 14.5 and format-consortium.md 1: records of composed systems."""
        if kind == "Outbox":
            need(len(value) == 1 and key == b"outbox", "not an outbox")
        elif kind == "OutboxEntry":
            _, status, sequence = result(value)
            need((status, sequence) == (0, 0) and value[7] == sha256(self.bytes["record-certificate"]), "another record")
        elif kind == "ForeignRecord":
            generation, number, brought, *_ = value
            need(len(value) == 7 and (generation, number) == (1, 1), "not a foreign record")
            need(key == b"status/" + self.trust.ledger + result(brought)[0], "another key")
        elif kind == "FollowedLedger":
            _, roster, newest, following, complete, frozen = value
            need(sha256(encode(roster)) == self.trust.roster and following == 2, "another ledger")
            need(newest[0] == complete[0] == frozen[2] and newest[1] == frozen[3] != frozen[4], "another header")
        elif kind == "Link":
            ledger, _, roster, _, generation, _, ended = value
            need(key == b"link/" + ledger and sha256(encode(roster)) == self.trust.roster, "another ledger")
            need(generation == 1 and ended is None, "another link")

    def changes(self, changes):
        """Section 14.2: three changes name the three pieces of evidence."""
        names = ("statement", "ocsp", "crl")
        for number, (certificate, issuer, _, reason, used) in enumerate(changes):
            kind, digest, signer = evidence(used)
            need(kind == number and digest == sha256(self.bytes["evidence-" + names[kind]]), "another evidence")
            need(certificate == sha256(self.bytes["lifecycle-old"]), "another certificate")
            need(issuer == signer == sha256(self.bytes["lifecycle-issuer"]), "another issuer")
        _, _, reason, at, sequence = statement(decode(self.bytes["evidence-statement"]), self.trust.ledger)
        need((changes[0][3], changes[0][4][3], changes[0][4][5]) == (reason, at, bytes([sequence])), "another statement")

    def first_state(self, records):
        """Section 11.3: the state root of the genesis header follows from the genesis document."""
        _, _, time, members, validators, parameters, anchors = decode(self.bytes["genesis"])
        roster, since = [0, [one for one, _ in validators]], [0, time]
        state = {b"parameters": encode(parameters), b"roster": encode(roster)}
        state[b"members"] = encode([[name, 0] for name, _, _, _ in members])
        for name, title, keys, roles in members:
            ids = [sha256(spki(key)) for key in keys]
            record = [name, title, "", 0, since, ids, sorted(set(roles)), [0, None]]
            state[b"member/" + name.encode()] = encode(record)
            for key_id, key in zip(ids, keys):
                state[b"key/" + key_id] = encode([name, [0, None], key, since, None])
        book = []
        for (key, name, title), address in validators:
            node = sha256(spki([-8, key]))
            state[b"key/" + node] = encode([name, [3, node], [-8, key], since, None])
            record = [node, name, title, 0, key, None, address, since, 0, None, None]
            state[b"node/" + node] = encode(record)
            book.append([node, key, name, title, 0, address])
        book.sort()
        state[b"nodes"] = encode([[node, name] for node, _, name, _, _, _ in book])
        state[b"committee"] = encode([0, 0, book])
        state.update({b"anchor/" + sha256(der): der for der in anchors})
        first = fields(HEADER, decode(self.bytes["header-0"]))
        root = trie_root({state_path(1, key): sha256(record) for key, record in state.items()})
        need(root == first["state_root"], "another first state root")
        need(state == {bytes.fromhex(k): bytes.fromhex(v) for n, k, v in records if n == 1}, "map 1")

    def chain(self):
        """Section 15.2: heights, links, history and lane chains of blocks 0 to 3."""
        headers, lanes = [], []
        for height in range(4):
            value = decode(self.bytes[f"block-{height}"])
            header = block(value)
            hashes = [sha256(encode(one)) for one in headers]
            need(header["height"] == height and header["previous"] == (hashes[-1] if hashes else EMPTY), "link")
            need(header["history_root"] == tree_root([leaf_hash(one) for one in hashes]), "history")
            for lane, _ in value[1]:
                named, before = fields(LANE_HEADER, lane), [sha256(encode(one)) for one in lanes]
                need(named["previous"] == (before[-1] if before else EMPTY), "lane link")
                need(named["history_root"] == tree_root([leaf_hash(one) for one in before]), "lane history")
                lanes.append(lane)
            headers.append(value[0])

    def worked_example(self):
        """Section 17 of docs/format.md shows the numbers of state-proof-inclusion; none of them may be another."""
        number, key, record, trie, finality = decode(self.bytes["state-proof-inclusion"])
        path, header = state_path(number, key), fields(HEADER, finality[0])
        known = {self.trust.ledger, self.trust.roster, key, path, header["state_root"], sha256(record)}
        known.add(sha256(encode(finality[0])))
        depth, _, hashes, terminal = trie
        siblings, node = [hashes[i : i + 32] for i in range(0, len(hashes), 32)], trie_leaf(*terminal)
        for i in reversed(range(depth)):
            known |= {node, siblings[i]}
            node = trie_node(siblings[i], node) if bit(path, i) else trie_node(node, siblings[i])
        page = (FOLDER.parent / "docs" / "format.md").read_text()
        section = page.split("## 17.")[1].split("## 18.")[0]
        shown = set(re.findall(r"\b[0-9a-f]{64}\b", section))
        need(len(siblings) == depth and shown == {one.hex() for one in known}, "the page shows other numbers")

    def altered(self, name, step, verify):
        """Turns a bit of every `step`-th byte: nothing that comes out may hold."""
        data, count = self.bytes[name], 0
        for place in range(0, len(data), step):
            turned = bytearray(data)
            turned[place] ^= 1 << place % 8
            try:
                verify(decode(bytes(turned)))
            except (Refused, ValueError, TypeError, KeyError, IndexError, AttributeError):
                count += 1
                continue
            raise Refused(f"holds with a bit of byte {place} turned")
        return count


def main():
    vectors = Vectors()
    failed = 0

    def run(what, function):
        nonlocal failed
        try:
            said = function()
        except Exception as error:  # a checker reports, whatever it stumbles over
            failed += 1
            print(f"FAILED  {what}: {type(error).__name__}: {error}")
        else:
            print(f"ok      {what}" + (f": {said}" if said is not None else ""))

    for row in vectors.rows:
        run(f"{row['name']} ({row['type']})", lambda: vectors.check(row))
    run("the chain of blocks 0 to 3", vectors.chain)
    run("the worked example of docs/format.md", vectors.worked_example)
    facts = {row["name"]: row["facts"] for row in vectors.rows}
    for name in ("state-proof-inclusion", "state-proof-exclusion"):
        key = bytes.fromhex(facts[name]["key"])
        run(f"{name}, altered", lambda: vectors.altered(name, 7, lambda one: state_proof(one, vectors.trust, 2, key)))
    name = bytes.fromhex(facts["record-proof"]["transaction_id"])
    run("record-proof, altered", lambda: vectors.altered(
        "record-proof", 61, lambda one: record_proof(one, vectors.trust, name)))
    for name in ("equivocation-notarize", "equivocation-nullify"):
        run(f"{name}, altered", lambda: vectors.altered(name, 7, lambda one: equivocation(one, vectors.trust)))
    run("action-relay, altered", lambda: vectors.altered(
        "action-relay", 31, lambda one: need(relay(one[1]) and one[0] == 4, "another action")))
    run("hand-over, altered", lambda: vectors.altered("hand-over", 7, lambda one: hand_over(one, vectors.trust)))
    print(f"{len(vectors.rows)} vectors, {failed} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
