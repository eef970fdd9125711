// Package own is Tarn's own topics: what could not be read, what came too late, what was
// decided about time, what was committed, what pipelines did. Their records are flat JSON objects with a header
// tarn.schema, and land in system.<name> in exactly their columns. It is written to by
// landing and by pipelines, each record once.
package own

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tarn/embedded/bus"
	"tarn/embedded/record"
	"tarn/embedded/record/schemas"
	"tarn/lake/table"
)

// The topics.
const (
	DeadLetter = "tarn.dead_letter"
	Commits    = "tarn.commits"
	Late       = "tarn.late"
	Clock      = "tarn.clock"
	Ticks      = "tarn.ticks"
)

func columns(names []string, types []record.Type) (out []record.Column) {
	for i, name := range names {
		out = append(out, record.Column{Name: name, Type: types[i], Nullable: true})
	}
	return out
}

// kinds are the topics' tables and columns. number is the column that tells a record's own offset, where the table has one.
var kinds = map[string]struct {
	table   string
	number  string
	columns []record.Column
}{
	DeadLetter: {"dead_letter", "letter", columns(
		[]string{"topic", "partition", "offset", "at", "error", "key", "value", "headers", "reader"},
		[]record.Type{record.String, record.Int, record.Long, record.TimestampTZ, record.String, record.String, record.String, record.String, record.String})},
	Commits: {"commits", "", columns(
		[]string{"at", "table", "table_id", "snapshot_id", "operation", "added_rows", "deleted_rows", "added_files", "ms"},
		[]record.Type{record.TimestampTZ, record.String, record.String, record.Long, record.String, record.Long, record.Long, record.Long, record.Long})},
	Late: {"late", "", columns(
		[]string{"pipeline", "topic", "partition", "offset", "at", "window_start", "window_end", "watermark", "value"},
		[]record.Type{record.String, record.String, record.Int, record.Long, record.TimestampTZ, record.TimestampTZ, record.TimestampTZ, record.TimestampTZ, record.String})},
	Ticks: {"ticks", "", columns(
		[]string{"at", "pipeline", "epoch", "ticks", "rows", "emitted", "late", "dead", "tick_ms", "watermark", "lag"},
		[]record.Type{
			record.TimestampTZ, record.String, record.Long, record.Long, record.Long, record.Long, record.Long, record.Long, record.Double, record.TimestampTZ, record.Long,
		})},
	Clock: {"clock", "", columns(
		[]string{"at", "source", "topic", "partition", "offset", "kind", "watermark", "mark"},
		[]record.Type{record.TimestampTZ, record.String, record.String, record.Int, record.Long, record.String, record.TimestampTZ, record.Long})},
}

// Schema is the schema of one of the topics.
func Schema(topic string) record.Schema {
	k := kinds[topic]
	return record.Schema{Source: "tarn", Database: "tarn", Schema: table.SystemNamespace, Table: k.table, Columns: k.columns}
}

// Number is the column in which a topic's table has the offset that each of its records has in the topic itself; "" where it
// has none.
func Number(topic string) string { return kinds[topic].number }

// Is tells whether a topic is one of them.
func Is(topic string) bool { return kinds[topic].table != "" }

// Topic is an own topic, ready to be written.
type Topic struct {
	Partition *bus.Partition
	schema    []byte // the header tarn.schema
}

// Topics are all of them, by name.
type Topics map[string]Topic

// Create makes the topics that are not there yet.
func Create(ctx context.Context, b *bus.Bus, store *schemas.Store) (Topics, error) {
	all := Topics{}
	for name := range kinds {
		id, err := store.Put(ctx, Schema(name))
		if err != nil {
			return nil, err
		}
		config := bus.TopicConfig{Partitions: 1, Land: true}
		switch name {
		case Clock:
			config.Retention, config.RetentionBytes = -1, -1 // a reading of history repeats each decision
		case DeadLetter:
			config.Retention = -1 // what is in the log may be sent again, and its bytes are bounded
		}
		t, err := b.CreateTopic(ctx, name, config)
		if err != nil {
			return nil, fmt.Errorf("create topic %s: %w", name, err)
		}
		if was := t.Config(); was.Retention != config.Retention { // another version made it
			was.Retention = config.Retention
			if err := b.AlterTopic(ctx, name, was); err != nil {
				return nil, fmt.Errorf("keep topic %s: %w", name, err)
			}
		}
		all[name] = Topic{t.Partitions()[0], strconv.AppendInt(nil, id, 10)}
	}
	return all, nil
}

// The bounds of an append.
const (
	recordsMax = 500
	bytesMax   = 1 << 20
	triesMax   = 5
	backoffMin = 100 * time.Millisecond
	backoffMax = 10 * time.Second
)

// RecordsMax is how many records one append takes.
const RecordsMax = recordsMax

// Out is a record to append. Its place grows within its source; of one source's places either all are equally long, or
// those of a later version are longer.
type Out struct {
	Place  string
	Record record.Record
}

// had tells whether a record at a place is in the topic, whose last one is at another: where that is shorter, with all places
// that begin with it, which the version before could not tell apart.
func had(place, last string) bool { return place[:min(len(place), len(last))] <= last }

// Append appends records in order of their places, each once: what the partition has from
// the source already, from before a crash or from a try whose answer was lost, is left out.
func (t Topic) Append(ctx context.Context, source, incarnation string, list []Out) error {
	wait := backoffMin
	for tries := 0; ; {
		if last, ok := t.Partition.Place(source); ok && last.Incarnation == incarnation {
			for len(list) > 0 && had(list[0].Place, last.Place) {
				list = list[1:]
			}
		}
		if len(list) == 0 {
			return nil
		}
		n, size := 0, 0
		records := make([]record.Record, 0, min(len(list), recordsMax))
		for n < len(list) && n < recordsMax && (n == 0 || size+len(list[n].Record.Value) <= bytesMax) {
			r := list[n].Record
			pos := record.Pos{Source: source, Incarnation: incarnation, Place: list[n].Place}
			r.Headers = append([]record.Header{{Key: record.HeaderPos, Value: []byte(pos.String())}, {Key: record.HeaderSchema, Value: t.schema}}, r.Headers...)
			records = append(records, r)
			size += len(r.Value)
			n++
		}
		_, err := t.Partition.Append(ctx, record.Encode(records))
		switch {
		case err == nil:
			list, tries, wait = list[n:], 0, backoffMin
		case !errors.Is(err, bus.ErrRetry) || tries == triesMax || ctx.Err() != nil:
			return err
		default:
			tries++
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
			wait = min(2*wait, backoffMax)
		}
	}
}

// JSON renders a record's value without the escapes that only a web page needs.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
