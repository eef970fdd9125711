package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Entry is what compaction looks at of a record. The key shares the batch's bytes.
type Entry struct {
	Offset    int64
	Timestamp int64 // ms
	Key       []byte
	Tombstone bool
}

// Each calls f for each record of a batch.
func (b Batch) Each(f func(Entry)) error {
	_, err := b.Filter(func(e Entry) bool { f(e); return true })
	return err
}

// EachHeader calls f with the value of each record's first header of that key, where it has one. Where the batch is not compressed
// the value shares its bytes. It ends with f's error.
func (b Batch) EachHeader(key string, f func(value []byte) error) error {
	body, err := decompress(b.attributes()&attrCodec, b[headerBytes:])
	d := decoder{b: body}
	for range b.Count() {
		var value []byte
		var ok bool
		if err == nil {
			value, ok, err = d.header(key)
		}
		if err != nil {
			return fmt.Errorf("decode batch at offset %d: %w", b.Base(), err)
		}
		if !ok {
			continue
		}
		if err := f(value); err != nil {
			return err
		}
	}
	return nil
}

// header reads the first header of a key of the next record.
func (d *decoder) header(key string) (value []byte, ok bool, err error) {
	in, err := d.body()
	if err != nil {
		return nil, false, err
	}
	if _, _, err = in.place(); err != nil {
		return nil, false, err
	}
	for range 2 { // key and value
		if err = in.passBytes(); err != nil {
			return nil, false, err
		}
	}
	n, err := in.headers()
	for range n {
		name, err := in.bytes()
		if err != nil {
			return nil, false, err
		}
		one, err := in.bytes()
		if err != nil {
			return nil, false, err
		}
		if !ok && string(name) == key {
			value, ok = one, true
		}
	}
	return value, ok, err
}

// Filter is the batch with those records alone that keep wants, packed as it was. Offsets, times, sequence and
// producer stay. With all of them it is b itself; without any it is a batch that holds none.
func (b Batch) Filter(keep func(Entry) bool) (Batch, error) {
	codec := b.attributes() & attrCodec
	body, err := decompress(codec, b[headerBytes:])
	if err != nil {
		return nil, fmt.Errorf("decode batch at offset %d: %w", b.Base(), err)
	}
	first, newest := b.i64(offFirstTime), int64(-1)
	var kept bytes.Buffer
	count := int32(0)
	d := decoder{b: body}
	for range b.Count() {
		begin := d.b
		e, err := d.entry(first, b.Base())
		if err != nil {
			return nil, fmt.Errorf("decode batch at offset %d: %w", b.Base(), err)
		}
		if b.AppendTime() {
			e.Timestamp = b.MaxTimestamp()
		}
		if !keep(e) {
			continue
		}
		kept.Write(begin[:len(begin)-len(d.b)])
		newest = max(newest, e.Timestamp)
		count++
	}
	if count == b.Count() {
		return b, nil
	}
	if body, err = compress(codec, kept.Bytes()); err != nil {
		return nil, fmt.Errorf("pack batch at offset %d: %w", b.Base(), err)
	}
	out := append(append(make(Batch, 0, headerBytes+len(body)), b[:headerBytes]...), body...)
	binary.BigEndian.PutUint32(out[offLength:], uint32(len(out)-offEpoch)) //nolint:gosec // no longer than b, or about
	binary.BigEndian.PutUint32(out[offCount:], uint32(count))              //nolint:gosec // fewer than in b
	if count > 0 {
		binary.BigEndian.PutUint64(out[offMaxTime:], uint64(newest)) //nolint:gosec // two's complement on the wire
	}
	if len(out) > BatchBytesMax { // its producer packed better
		return nil, fmt.Errorf("pack batch at offset %d: %d bytes, at most %d", b.Base(), len(out), BatchBytesMax)
	}
	out.seal()
	return out, nil
}

// entry reads the next record.
func (d *decoder) entry(first, base int64) (Entry, error) {
	in, err := d.body()
	if err != nil {
		return Entry{}, err
	}
	at, delta, err := in.place()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Offset: base + delta, Timestamp: first + at}
	if e.Key, err = in.bytes(); err != nil {
		return Entry{}, err
	}
	value, err := in.bytes()
	e.Tombstone = value == nil
	return e, err
}
