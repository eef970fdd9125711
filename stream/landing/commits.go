package landing

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tarn/embedded/record"
	"tarn/lake/table"
	"tarn/stream/own"
)

// The bounds of telling commits: how many wait at most, and how long they gather.
const (
	commitsWaitingMax = 4096
	commitsGather     = 200 * time.Millisecond
)

// commitLog turns the lake's commits into records of tarn.commits. It informs and proves
// nothing: a crash loses the last ones, whose snapshots tell the same.
type commitLog struct {
	l       *Landing
	waiting chan table.Committed
	dropped atomic.Int64
	process string // this process, the incarnation of its places
	n       int64
}

func newCommitLog(l *Landing) *commitLog {
	return &commitLog{l: l, waiting: make(chan table.Committed, commitsWaitingMax), process: uuid.NewString()}
}

func (c *commitLog) add(one table.Committed) {
	if one.System || one.Table.Namespace == table.SystemNamespace {
		return
	}
	select {
	case c.waiting <- one:
	default:
		c.dropped.Add(1)
	}
}

// run appends until ctx ends, then what is left while work lasts.
func (c *commitLog) run(ctx, work context.Context) {
	for {
		var first table.Committed
		select {
		case first = <-c.waiting:
			pause(ctx, commitsGather)
		case <-ctx.Done():
			return
		}
		list := []own.Out{c.render(first)}
		for more := true; more && len(list) < own.RecordsMax; {
			select {
			case one := <-c.waiting:
				list = append(list, c.render(one))
			default:
				more = false
			}
		}
		if err := c.l.own[own.Commits].Append(work, "commits", c.process, list); err != nil && work.Err() == nil {
			c.dropped.Add(int64(len(list)))
			c.l.o.Log.Warn("commits not told", "topic", own.Commits, "error", err.Error())
		}
	}
}

func (c *commitLog) render(one table.Committed) own.Out {
	value, err := json.Marshal(struct {
		At          string `json:"at"`
		Table       string `json:"table"`
		TableID     string `json:"table_id"`
		SnapshotID  int64  `json:"snapshot_id"`
		Operation   string `json:"operation"`
		AddedRows   int64  `json:"added_rows"`
		DeletedRows int64  `json:"deleted_rows"`
		AddedFiles  int    `json:"added_files"`
		Millis      int64  `json:"ms"`
	}{
		one.At.UTC().Format(time.RFC3339Nano), one.Table.String(), one.ID, one.SnapshotID, one.Operation,
		one.AddedRows, one.DeletedRows, one.AddedFiles, one.Millis,
	})
	if err != nil {
		panic(err) // plain strings and numbers always marshal
	}
	c.n++
	return own.Out{Place: record.Hex16(c.n), Record: record.Record{Timestamp: one.At.UnixMilli(), Value: value}}
}
