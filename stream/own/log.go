package own

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tarn/embedded/record"
)

// The bounds of a log: how many records wait at most, and how long they gather.
const (
	waitingMax = 4096
	gather     = 200 * time.Millisecond
)

// Log appends what happened to one of the topics, when there is time. It informs and proves nothing:
// whoever adds is never held up, what there is no room for is left out, and a crash loses the last
// records.
type Log struct {
	topic   string
	process string // the incarnation of its places
	waiting chan entry
	dropped atomic.Int64
	places  int64 // of Run
}

type entry struct {
	at    time.Time
	value any
}

// NewLog returns a log of a topic. Add may be called before Run.
func NewLog(topic string) *Log {
	return &Log{topic: topic, process: uuid.NewString(), waiting: make(chan entry, waitingMax)}
}

// Add adds a record, which is rendered as JSON. It never blocks; the value is kept.
func (l *Log) Add(at time.Time, value any) {
	select {
	case l.waiting <- entry{at, value}:
	default:
		l.dropped.Add(1)
	}
}

// Dropped is how many records were left out since start.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Run appends until ctx ends, then what is left while work lasts.
func (l *Log) Run(ctx, work context.Context, topics Topics, log *slog.Logger) {
	for {
		select {
		case first := <-l.waiting:
			select {
			case <-time.After(gather):
			case <-ctx.Done():
			}
			l.append(work, topics[l.topic], first, log)
		case <-ctx.Done():
			for work.Err() == nil {
				select {
				case first := <-l.waiting:
					l.append(work, topics[l.topic], first, log)
				default:
					return
				}
			}
			return
		}
	}
}

// append appends a record and those that wait behind it.
func (l *Log) append(ctx context.Context, to Topic, first entry, log *slog.Logger) {
	list := []Out{l.render(first)}
	for more := true; more && len(list) < RecordsMax; {
		select {
		case one := <-l.waiting:
			list = append(list, l.render(one))
		default:
			more = false
		}
	}
	if err := to.Append(ctx, strings.TrimPrefix(l.topic, record.OwnPrefix), l.process, list); err != nil && ctx.Err() == nil {
		l.dropped.Add(int64(len(list)))
		log.Warn("records not told", "topic", l.topic, "error", err.Error())
	}
}

func (l *Log) render(e entry) Out {
	value, err := JSON(e.value)
	if err != nil {
		panic(fmt.Sprintf("own: a record of %s: %v", l.topic, err)) // a defect: they are plain strings and numbers
	}
	l.places++
	return Out{Place: record.Hex16(l.places), Record: record.Record{Timestamp: e.at.UnixMilli(), Value: value}}
}
