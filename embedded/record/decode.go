package record

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
)

// Records decodes the batch's records, with their offsets. Keys, values and
// headers share the batch's bytes where it is not compressed. A control batch
// has records too; Mark reads Tarn's own.
func (b Batch) Records() ([]Record, error) { return b.AppendRecords(nil) }

// AppendRecords is Records into a slice that the caller has: their keys and values are not of it.
func (b Batch) AppendRecords(out []Record) ([]Record, error) {
	body, err := decompress(b.attributes()&attrCodec, b[headerBytes:])
	if err != nil {
		return nil, fmt.Errorf("decode batch at offset %d: %w", b.Base(), err)
	}
	// A record takes at least seven bytes, so a count that lies cannot make us allocate.
	count := int(b.Count())
	if count > len(body)/7+1 {
		return nil, fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, count, len(body))
	}
	out = slices.Grow(out, count)
	first := b.i64(offFirstTime)
	d, headers := decoder{b: body}, []Header(nil)
	for range count {
		r, err := d.record(first, b.Base(), &headers)
		if err != nil {
			return nil, fmt.Errorf("decode batch at offset %d: %w", b.Base(), err)
		}
		if b.AppendTime() {
			r.Timestamp = b.MaxTimestamp()
		}
		out = append(out, r)
	}
	return out, nil
}

// markControl is the type of Tarn's control records. Kafka's own are 0 (abort) to
// 5; clients skip types they do not know.
const markControl int16 = 0x5441

// EncodeMark renders a snapshot mark as a control batch.
func EncodeMark(m Mark, timestamp int64) Batch {
	value, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain strings and numbers always marshal
	}
	return EncodeControl(markControl, timestamp, value)
}

// Mark returns the snapshot mark of a control batch; ok is false for any other batch.
func (b Batch) Mark() (m Mark, ok bool, err error) {
	if !b.Control() {
		return m, false, nil
	}
	records, err := b.Records()
	if err != nil || len(records) != 1 || len(records[0].Key) != 4 {
		return m, false, err
	}
	if int16(binary.BigEndian.Uint16(records[0].Key[2:])) != markControl { //nolint:gosec // two's complement on the wire
		return m, false, nil
	}
	if err := json.Unmarshal(records[0].Value, &m); err != nil {
		return m, false, fmt.Errorf("%w: mark at offset %d: %w", ErrCorrupt, b.Base(), err)
	}
	return m, true, nil
}

// decoder reads the zigzag varints of records; each method checks what is left.
type decoder struct{ b []byte }

func (d *decoder) varint() (int64, error) {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		return 0, fmt.Errorf("%w: bad varint", ErrCorrupt)
	}
	d.b = d.b[n:]
	return v, nil
}

func (d *decoder) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(d.b)) {
		return nil, fmt.Errorf("%w: %d bytes wanted, %d left", ErrCorrupt, n, len(d.b))
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out, nil
}

func (d *decoder) bytes() ([]byte, error) {
	n, err := d.varint()
	if err != nil || n == -1 {
		return nil, err
	}
	return d.take(n)
}

// body is the next record's, behind its length and attributes.
func (d *decoder) body() (decoder, error) {
	n, err := d.varint()
	if err != nil {
		return decoder{}, err
	}
	body, err := d.take(n)
	if err != nil {
		return decoder{}, err
	}
	if len(body) == 0 {
		return decoder{}, fmt.Errorf("%w: empty record", ErrCorrupt)
	}
	return decoder{body[1:]}, nil
}

// place reads a record's time and offset, relative to its batch's.
func (d *decoder) place() (time, delta int64, err error) {
	if time, err = d.varint(); err != nil {
		return 0, 0, err
	}
	delta, err = d.varint()
	return time, delta, err
}

// headers is how many headers follow.
func (d *decoder) headers() (int64, error) {
	n, err := d.varint()
	if err == nil && (n < 0 || n > int64(len(d.b))) {
		err = fmt.Errorf("%w: %d headers", ErrCorrupt, n)
	}
	return n, err
}

// record reads the next record. Its headers are put behind those of the record before, whose names it mostly shares.
func (d *decoder) record(first, base int64, all *[]Header) (Record, error) {
	in, err := d.body()
	if err != nil {
		return Record{}, err
	}
	var r Record
	at, delta, err := in.place()
	if err != nil {
		return Record{}, err
	}
	r.Timestamp, r.Offset = first+at, base+delta
	if r.Key, err = in.bytes(); err != nil {
		return Record{}, err
	}
	if r.Value, err = in.bytes(); err != nil {
		return Record{}, err
	}
	n, err := in.headers()
	if err != nil {
		return Record{}, err
	}
	begin := len(*all)
	for range n {
		key, err := in.bytes()
		if err != nil {
			return Record{}, err
		}
		value, err := in.bytes()
		if err != nil {
			return Record{}, err
		}
		h := Header{Value: value}
		if was := len(*all) - int(n); was >= 0 && (*all)[was].Key == string(key) {
			h.Key = (*all)[was].Key
		} else {
			h.Key = string(key)
		}
		*all = append(*all, h)
	}
	if n > 0 {
		r.Headers = (*all)[begin:len(*all):len(*all)]
	}
	return r, nil
}
