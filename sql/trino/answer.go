//go:build duckdb_arrow

package trino

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// results is an answer of the protocol, its QueryResults. columns and data are JSON already.
type results struct {
	ID          string          `json:"id"`
	InfoURI     string          `json:"infoUri"`
	PartialURI  string          `json:"partialCancelUri,omitempty"`
	NextURI     string          `json:"nextUri,omitempty"`
	Columns     json.RawMessage `json:"columns,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	Stats       stats           `json:"stats"`
	Error       *queryError     `json:"error,omitempty"`
	Warnings    []struct{}      `json:"warnings"`
	UpdateType  string          `json:"updateType,omitempty"`
	UpdateCount *int64          `json:"updateCount,omitempty"`
}

// stats are those of a statement. Tarn is one node, and a statement one split. Percentages that nobody knows are left out, as Trino does.
type stats struct {
	State              string   `json:"state"`
	Queued             bool     `json:"queued"`
	Scheduled          bool     `json:"scheduled"`
	ProgressPercentage *float64 `json:"progressPercentage,omitempty"`
	RunningPercentage  *float64 `json:"runningPercentage,omitempty"`
	Nodes              int      `json:"nodes"`
	TotalSplits        int      `json:"totalSplits"`
	QueuedSplits       int      `json:"queuedSplits"`
	RunningSplits      int      `json:"runningSplits"`
	CompletedSplits    int      `json:"completedSplits"`
	CPUTimeMillis      int64    `json:"cpuTimeMillis"`
	WallTimeMillis     int64    `json:"wallTimeMillis"`
	QueuedTimeMillis   int64    `json:"queuedTimeMillis"`
	ElapsedTimeMillis  int64    `json:"elapsedTimeMillis"`
	ProcessedRows      int64    `json:"processedRows"`
	ProcessedBytes     int64    `json:"processedBytes"`
	PhysicalInputBytes int64    `json:"physicalInputBytes"`
	PhysicalWritten    int64    `json:"physicalWrittenBytes"`
	InternalNetwork    int64    `json:"internalNetworkInputBytes"`
	PeakMemoryBytes    int64    `json:"peakMemoryBytes"`
	SpilledBytes       int64    `json:"spilledBytes"`
}

// stats are the query's, in a state.
func (q *query) stats(state string, until time.Time) stats {
	ms := until.Sub(q.began).Milliseconds()
	s := stats{
		State: state, Queued: state == "QUEUED", Scheduled: state != "QUEUED", Nodes: 1, TotalSplits: 1,
		WallTimeMillis: ms, ElapsedTimeMillis: ms, ProcessedRows: q.rows.Load(), ProcessedBytes: q.bytes.Load(),
	}
	switch state {
	case "QUEUED":
		s.QueuedSplits = 1
	case "RUNNING":
		s.RunningSplits = 1
		if _, percent := q.progress(q.noted.Load()); percent >= 0 {
			s.ProgressPercentage, s.RunningPercentage = &percent, new(100.0)
		}
	default:
		s.CompletedSplits, s.ProgressPercentage = 1, new(100.0)
	}
	return s
}

// queued is the first answer, before anything is known.
func (q *query) queued(head http.Header, base string) []byte {
	return q.encode(head, results{Stats: q.stats("QUEUED", q.now()), NextURI: q.uri(base, "queued", 1)}, base)
}

// more is a page of rows, or none yet where data is nil.
func (q *query) more(head http.Header, base string, next int, data []byte) []byte {
	state := "RUNNING"
	if data == nil {
		state = q.under()
	}
	r := results{Stats: q.stats(state, q.now()), NextURI: q.uri(base, "executing", next), Data: data}
	if data != nil { // with which its clients choose how they show it
		r.UpdateType, r.UpdateCount = q.tag, q.count
	}
	r.PartialURI = r.NextURI
	if columns := q.columns.Load(); columns != nil {
		r.Columns = *columns
	}
	return q.encode(head, r, base)
}

// boolean is what a statement without rows answers: Trino's clients take one without columns for a broken one.
const booleanColumn = `[{"name":"result","type":"boolean","typeSignature":{"rawType":"boolean","arguments":[]}}]`

// final is the last answer.
func (q *query) final(head http.Header, base string) []byte {
	ended := q.ended
	if ended.IsZero() {
		ended = q.now()
	}
	r := results{Stats: q.stats("FINISHED", ended), UpdateType: q.tag, UpdateCount: q.count}
	if columns := q.columns.Load(); columns != nil {
		r.Columns = *columns
	} else if q.err == nil {
		r.Columns, r.Data = json.RawMessage(booleanColumn), json.RawMessage(`[[true]]`)
	}
	if q.err != nil {
		r.Stats.State, r.Stats.ProgressPercentage, r.Error = "FAILED", nil, errorOf(q.err)
	} else {
		maps.Copy(head, q.changed)
	}
	return q.encode(head, r, base)
}

func (q *query) uri(base, state string, token int) string {
	return base + "/v1/statement/" + state + "/" + q.id + "/" + q.slug + "/" + strconv.Itoa(token)
}

func (q *query) encode(head http.Header, r results, base string) []byte {
	head.Set("Content-Type", "application/json")
	r.ID, r.InfoURI, r.Warnings = q.id, base+"/ui/query.html?"+q.id, []struct{}{}
	b, err := json.Marshal(r)
	if err != nil { // never: what is raw was made here
		return []byte(`{}`)
	}
	return b
}

func pad(n, digits int) string {
	s := strconv.Itoa(n)
	for len(s) < digits {
		s = "0" + s
	}
	return s
}
