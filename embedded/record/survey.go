package record

import "fmt"

// Survey is what all records of a batch have in common.
type Survey struct {
	Newest  int64 // the newest timestamp in milliseconds
	Oldest  int64 // the oldest of a record that has a time, which is none below 0; Newest where none has
	Keyless bool  // some record has no key
}

// Survey reads every record of a batch, decompressed, and keeps none: ErrCorrupt where one is no record, where their
// number is not Count, or where their offsets do not follow one another.
func (b Batch) Survey() (Survey, error) {
	var out Survey
	body, err := decompress(b.attributes()&attrCodec, b[headerBytes:])
	if err != nil {
		return out, err
	}
	first := b.i64(offFirstTime)
	d := decoder{b: body}
	timed := false
	for i := range int64(b.Count()) {
		ms, delta, keyless, err := d.skim()
		if err != nil {
			return out, fmt.Errorf("record %d: %w", i, err)
		}
		if delta != i {
			return out, fmt.Errorf("%w: record %d has offset %d", ErrCorrupt, i, delta)
		}
		if ms += first; i == 0 || ms > out.Newest {
			out.Newest = ms
		}
		if ms >= 0 && (!timed || ms < out.Oldest) {
			out.Oldest, timed = ms, true
		}
		out.Keyless = out.Keyless || keyless
	}
	if len(d.b) > 0 {
		return out, fmt.Errorf("%w: %d bytes behind the last record", ErrCorrupt, len(d.b))
	}
	if !timed {
		out.Oldest = out.Newest
	}
	return out, nil
}

// skim passes over a record, whose parts must fill it.
func (d *decoder) skim() (ms, delta int64, keyless bool, err error) {
	n, err := d.varint()
	if err != nil {
		return 0, 0, false, err
	}
	body, err := d.take(n)
	if err != nil {
		return 0, 0, false, err
	}
	if len(body) == 0 {
		return 0, 0, false, fmt.Errorf("%w: empty record", ErrCorrupt)
	}
	in := decoder{b: body[1:]}
	if ms, err = in.varint(); err != nil {
		return 0, 0, false, err
	}
	if delta, err = in.varint(); err != nil {
		return 0, 0, false, err
	}
	key, err := in.varint()
	if err != nil {
		return 0, 0, false, err
	}
	if err = in.pass(key); err == nil {
		if err = in.passBytes(); err == nil {
			err = in.passHeaders()
		}
	}
	if err == nil && len(in.b) > 0 {
		err = fmt.Errorf("%w: %d bytes behind the headers", ErrCorrupt, len(in.b))
	}
	return ms, delta, key < 0, err
}

// pass passes over bytes of a length; -1 is null.
func (d *decoder) pass(n int64) error {
	if n == -1 {
		return nil
	}
	_, err := d.take(n)
	return err
}

func (d *decoder) passBytes() error {
	n, err := d.varint()
	if err != nil {
		return err
	}
	return d.pass(n)
}

func (d *decoder) passHeaders() error {
	n, err := d.varint()
	if err != nil {
		return err
	}
	if n < 0 || n > int64(len(d.b)) {
		return fmt.Errorf("%w: %d headers", ErrCorrupt, n)
	}
	for range n {
		key, err := d.varint()
		if err != nil {
			return err
		}
		if _, err := d.take(key); err != nil {
			return err
		}
		if err := d.passBytes(); err != nil {
			return err
		}
	}
	return nil
}
