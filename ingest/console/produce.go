package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tarn/embedded/bus"
	"tarn/embedded/config"
	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// The bounds of producing.
const (
	lineBytesMax  = 24 << 20        // of one line
	flyingRecords = 10_000          // that are not acknowledged yet
	flyingBytes   = 64 << 20        // of them
	batchLeast    = 512             // bytes, kgo's; the door refuses what a topic allows less for
	flushMax      = 5 * time.Second // that a stop waits for what is under way
)

// Produce is `tarn topics produce`. The tags are kong's.
type Produce struct {
	Name         string        `arg:"" help:"The topic."`
	Values       []string      `arg:"" name:"value" optional:"" help:"A record; without any each line of stdin is one."`
	Format       string        `enum:"value,json" default:"value" help:"value: a line is a value. json: an object as tarn topics consume --format json writes it, of which key, value, headers and timestamp count."`
	KeySeparator string        `short:"K" help:"What stands between key and value on each line, such as ':'." placeholder:"TEXT"`
	Partition    int32         `default:"-1" help:"The partition; -1 lets the key choose, as Kafka's Java clients do."`
	Header       []string      `short:"H" sep:"none" help:"A header of each record." placeholder:"KEY=VALUE"`
	Tombstones   bool          `help:"Send an empty value as null, which deletes its key from a compacted topic."`
	Timeout      time.Duration `default:"2m" help:"How long a record is tried again before it counts as not acknowledged."`
	Address
}

// Help is what --help says below the line of usage.
func (Produce) Help() string {
	return `It says how many records are acknowledged, which are on Tarn's disk, and ends with 0 where that is all of them. It stops at the first that is refused.

    tarn topics produce orders < orders.jsonl
    tarn topics produce prices --key-separator : 'LHR:120' 'CDG:90'
    tarn topics consume orders --format json | tarn topics produce orders.copy --format json`
}

// delivery counts what became of records.
type delivery struct {
	mu     sync.Mutex
	acked  int64
	sent   int64
	failed error
	stop   context.CancelCauseFunc
}

// done takes the answer for one record. The first that is refused stops the rest.
func (d *delivery) done(_ *kgo.Record, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.acked++
		return
	}
	if d.failed == nil {
		d.failed = err
		d.stop(err)
	}
}

// Run sends the lines.
func (p *Produce) Run(ctx context.Context, f *config.Flags, out io.Writer) error {
	headers, err := p.headers()
	if err != nil {
		return err
	}
	batchMax := int32(record.BatchBytesMax)
	opts := []kgo.Opt{
		kgo.MaxBufferedRecords(flyingRecords), kgo.MaxBufferedBytes(flyingBytes), kgo.RecordDeliveryTimeout(p.Timeout),
		// Else it waits for ever where Tarn is gone while a record is on its way. Nothing is sent after one that is given up.
		kgo.AllowIdempotentProduceCancellation(),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return batchMax }), // asked for with the first record, when it is known
	}
	if p.Partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	t, err := p.open(ctx, f, p.Name, opts...)
	if err != nil {
		return err
	}
	defer t.client.Close()
	if err := t.choose(p.Partition); err != nil {
		return err
	}
	largest, err := t.setting(ctx, bus.SettingMessageBytes)
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(largest, 10, 32); err == nil {
		batchMax = max(int32(n), batchLeast)
	}
	return p.send(ctx, t, headers, out)
}

func (p *Produce) headers() (out []kgo.RecordHeader, err error) {
	for _, h := range p.Header {
		key, value, ok := strings.Cut(h, "=")
		if !ok || key == "" {
			return nil, fault.Newf(fault.Invalid, "write --header KEY=VALUE", "%q is no header", h)
		}
		out = append(out, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return out, nil
}

// send produces the lines, waits for the answers, and says how many are acknowledged.
func (p *Produce) send(ctx context.Context, t *topic, headers []kgo.RecordHeader, out io.Writer) error {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d := &delivery{stop: stop}
	at := int64(0)
	wrong := p.each(sending, func(text []byte) error {
		at++
		r, err := p.record(text)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, fmt.Sprintf("read line %d", at), "see tarn topics produce --help")
		}
		r.Topic, r.Partition, r.Headers = t.name, p.Partition, append(r.Headers, headers...)
		d.sent++
		t.client.Produce(sending, r, d.done)
		return nil
	})
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Timeout)
	if ctx.Err() != nil {
		waiting, cancel = context.WithTimeout(context.WithoutCancel(ctx), flushMax)
	}
	defer cancel()
	_ = t.client.Flush(waiting) // what it did not wait for is not acknowledged
	d.mu.Lock()
	defer d.mu.Unlock()
	told := fmt.Sprintf("%d records acknowledged", d.acked)
	if d.acked == 1 {
		told = "1 record acknowledged"
	}
	if n := d.sent - d.acked; n > 0 {
		told += fmt.Sprintf(", %d not", n)
	}
	_, _ = fmt.Fprintln(out, told)
	if errors.Is(wrong, context.Canceled) {
		wrong = nil
	}
	switch {
	case d.failed != nil && ctx.Err() == nil:
		return t.fault(d.failed, "produce to "+t.name)
	case wrong != nil:
		return wrong
	case ctx.Err() != nil:
		return ctx.Err()
	case d.acked < d.sent:
		return t.fault(context.DeadlineExceeded, "produce to "+t.name)
	}
	return nil
}

func (p *Produce) record(text []byte) (*kgo.Record, error) {
	if p.Format == formatJSON {
		return parseJSON(text)
	}
	return p.parsePlain(text)
}

// each calls f for each value that was given, or for each line of stdin, until ctx ends or f fails.
func (p *Produce) each(ctx context.Context, f func(text []byte) error) error {
	if len(p.Values) > 0 {
		for _, v := range p.Values {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := f([]byte(v)); err != nil {
				return err
			}
		}
		return nil
	}
	lines, failed := make(chan []byte), make(chan error, 1)
	go func() { // a read of stdin ends with the process, where nothing comes any more
		in := bufio.NewScanner(os.Stdin)
		in.Buffer(make([]byte, 64<<10), lineBytesMax)
		for in.Scan() {
			select {
			case lines <- append([]byte(nil), in.Bytes()...):
			case <-ctx.Done():
				return
			}
		}
		failed <- in.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case text := <-lines:
			if err := f(text); err != nil {
				return err
			}
		case err := <-failed:
			if errors.Is(err, bufio.ErrTooLong) {
				return fault.Newf(fault.TooLarge, "cut it", "a line has more than %d bytes", lineBytesMax)
			}
			return err
		}
	}
}
