package httpdoor

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// append appends the records as one batch, so that the log has all of them or none. It calls done
// once the records are needed no more.
func (d *Door) append(ctx context.Context, t *bus.Topic, key string, body []byte, records [][]byte, done func()) (answer, error) {
	parts := t.Partitions()
	if key == "" {
		p := parts[d.turn.Add(1)%uint32(len(parts))] //nolint:gosec // a few
		return d.push(ctx, p, "", records, done)
	}
	sum := sha256.Sum256([]byte(key))
	p := parts[binary.BigEndian.Uint32(sum[:])%uint32(len(parts))] //nolint:gosec // a few
	k := d.keysOf(p)
	unclaim, err := k.claim(ctx, sum)
	if err != nil {
		done()
		return answer{}, err
	}
	free := func() { unclaim(); done() }
	digest := sha256.Sum256(body)
	r := request{key: sum, body: [8]byte(digest[:8])}
	if got, ok, err := k.find(ctx, r); err != nil || ok {
		free()
		return got, err
	}
	return d.push(ctx, p, r.header(), records, free)
}

// push appends and waits for the log's answer, but no longer than answerMax. done is called when
// the fate of the append is known, which may be later: the bus answers each append, as it closes at the latest.
func (d *Door) push(ctx context.Context, p *bus.Partition, header string, records [][]byte, done func()) (answer, error) {
	batch := d.encode(header, records)
	type result struct {
		got bus.Appended
		err error
	}
	if len(batch) > record.BatchBytesMax {
		done()
		return answer{}, fault.Newf(fault.TooLarge, "send it in parts", "the records have %d bytes, at most %d", len(batch), record.BatchBytesMax)
	}
	results := make(chan result, 1)
	go func() {
		got, err := p.Append(context.WithoutCancel(ctx), batch)
		done()
		results <- result{got, err}
	}()
	limit := time.NewTimer(answerMax)
	defer limit.Stop()
	select {
	case r := <-results:
		if r.err != nil {
			return answer{}, unsure(r.err, header != "")
		}
		d.records.Add(float64(len(records)))
		return answer{Topic: p.Topic().Name(), Partition: p.Number(), Offset: r.got.Base, Next: r.got.Next, Records: r.got.Next - r.got.Base}, nil
	case <-limit.C:
		return answer{}, unsure(bus.ErrRetry, header != "")
	case <-ctx.Done():
		return answer{}, unsure(ctx.Err(), header != "")
	}
}

// unsure tells who sends an append again whether it may then be there twice.
func unsure(err error, keyed bool) error {
	code := fault.CodeOf(err)
	if code == fault.NoSpace || code == fault.TooLarge || code == fault.Invalid || code == fault.Damaged {
		return err // it is not there
	}
	if !errors.Is(err, bus.ErrRetry) && !errors.Is(err, context.Canceled) && !errors.Is(err, bus.ErrNoTopic) {
		return err
	}
	hint := "send it again; it may be stored already, and an Idempotency-Key would tell"
	if keyed {
		hint = "send it again with the same Idempotency-Key: what is stored already is not stored twice"
	}
	return status{http.StatusServiceUnavailable, fault.Wrap(err, fault.Unavailable, "the log has not acknowledged the records", hint)}
}

// encode makes one batch of the records. The first carries the header of a request with a key.
func (d *Door) encode(header string, records [][]byte) []byte {
	now := d.o.Clock.Now().UnixMilli()
	list := make([]record.Record, len(records))
	for i, value := range records {
		list[i] = record.Record{Timestamp: now, Value: value}
	}
	if header != "" {
		list[0].Headers = []record.Header{{Key: record.HeaderRequest, Value: []byte(header)}}
	}
	return record.Encode(list)
}

// request is what is known of a request with a key: hashes of the key and of the body.
type request struct {
	key  [32]byte
	body [8]byte
}

// header is the value of HeaderRequest.
func (r request) header() string {
	return hex.EncodeToString(r.key[:]) + "/" + hex.EncodeToString(r.body[:])
}

// parseRequest reads what header wrote.
func parseRequest(value []byte) (r request, ok bool) {
	if len(value) != 2*len(r.key)+1+2*len(r.body) || value[2*len(r.key)] != '/' {
		return r, false
	}
	_, err := hex.Decode(r.key[:], value[:2*len(r.key)])
	_, err2 := hex.Decode(r.body[:], value[2*len(r.key)+1:])
	return r, err == nil && err2 == nil
}
