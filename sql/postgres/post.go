//go:build duckdb_arrow

package postgres

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"tarn/embedded/fault"
	"tarn/embedded/guard"
	"tarn/lake/table"
)

// The bounds of what waits for clients that listen.
const (
	waitingMax      = 1024     // notifications for one connection
	waitingBytesMax = 64 << 20 // of all connections, of what clients send
)

// allCommits is the channel of the commits of all tables. That of one table is its name with its schema, such as silver.orders.
const allCommits = "tarn_commits"

// isTable tells whether commits are told in a channel, and of which table alone.
func isTable(channel string) (of string, ok bool) {
	if channel == allCommits {
		return "", true
	}
	return channel, strings.Contains(channel, ".")
}

// post is who listens to what, and what waits for whom.
type post struct {
	mu        sync.Mutex
	listeners map[string]map[*conn]bool // by channel
	bytes     int                       // of what clients sent, and waits
}

// inbox is what waits for one connection; the door's post.mu is held for it, but for wake.
type inbox struct {
	channels map[string]bool
	waiting  []*notification
	commits  map[[2]string]*notification // of waiting, by channel and table
	wake     chan struct{}               // holds one when something waits
}

// notification is what waits. A commit's is of all commits of its table since the client was told last, so a client that is slow costs no
// more than one that is not.
type notification struct {
	channel, payload string
	pid              uint32 // of who sent it; 0: Tarn
	commit           *commits
}

// commits are those of one table; of several where Table is empty.
type commits struct {
	Table       string `json:"table,omitempty"`
	SnapshotID  string `json:"snapshot_id,omitempty"` // of the last; a text, for JavaScript's numbers are shorter
	AddedRows   int64  `json:"added_rows"`
	DeletedRows int64  `json:"deleted_rows"`
	Commits     int    `json:"commits"`

	of table.Committed
}

// said is the payload; false where the client may not read the table.
func (n *notification) said(c *conn) (string, bool) {
	if n.commit == nil {
		return n.payload, true
	}
	if n.commit.Table != "" {
		id := n.commit.of.Table
		if !c.door.o.Guard.Decide(c.who, guard.Read, guard.Resource{Kind: guard.Table, ID: n.commit.of.ID, Path: []string{id.Namespace, id.Name}}).Allow {
			return "", false
		}
	}
	payload, err := json.Marshal(n.commit)
	return string(payload), err == nil
}

// Committed tells who listens of a commit that changed rows. It never waits.
func (d *Door) Committed(one table.Committed) {
	if one.System || one.Table.Namespace == table.SystemNamespace || one.SnapshotID == 0 || one.Operation == "replace" { // of upkeep, which changes none
		return
	}
	d.post.mu.Lock()
	defer d.post.mu.Unlock()
	for _, channel := range []string{allCommits, one.Table.String()} {
		for c := range d.post.listeners[channel] {
			c.inbox.committed(channel, one)
		}
	}
}

// committed puts a commit behind what waits, or to what waits of its table; where too much waits, to what waits of all tables.
func (in *inbox) committed(channel string, one table.Committed) {
	name := one.Table.String()
	if len(in.waiting) >= waitingMax && in.commits[[2]string{channel, name}] == nil {
		name = ""
	}
	n := in.commits[[2]string{channel, name}]
	if n == nil {
		n = &notification{channel: channel, commit: &commits{Table: name}}
		in.waiting = append(in.waiting, n)
		in.commits[[2]string{channel, name}] = n
	}
	if n.commit.Table != "" {
		n.commit.SnapshotID, n.commit.of = strconv.FormatInt(one.SnapshotID, 10), one
	}
	n.commit.Commits++
	n.commit.AddedRows += one.AddedRows
	n.commit.DeletedRows += one.DeletedRows
	in.rouse()
}

// rouse wakes the goroutine that tells the client.
func (in *inbox) rouse() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// send puts the notifications of a transaction before all that listen, or before none.
func (p *post) send(pid uint32, notes []note) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes, more := 0, map[*conn]int{}
	for _, n := range notes {
		if n.verb != "NOTIFY" {
			continue
		}
		for c := range p.listeners[n.channel] {
			bytes += len(n.payload) + len(n.channel)
			more[c]++
			if len(c.inbox.waiting)+more[c] > waitingMax || p.bytes+bytes > waitingBytesMax {
				return stateError{"54000", fault.New(fault.TooLarge, "too many notifications in the NOTIFY queue", "a client that listens is within a transaction, or does not read")}
			}
		}
	}
	for _, n := range notes {
		if n.verb != "NOTIFY" {
			continue
		}
		for c := range p.listeners[n.channel] {
			c.inbox.waiting = append(c.inbox.waiting, &notification{channel: n.channel, payload: n.payload, pid: pid})
			c.inbox.rouse()
		}
	}
	p.bytes += bytes
	return nil
}

// listen puts a connection to a channel.
func (p *post) listen(c *conn, channel string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(c.inbox.channels) >= channelsMax && !c.inbox.channels[channel] {
		return stateError{"54000", fault.Newf(fault.TooLarge, "UNLISTEN some, or listen to "+allCommits, "this connection listens to %d channels already", channelsMax)}
	}
	if p.listeners[channel] == nil {
		p.listeners[channel] = map[*conn]bool{}
	}
	p.listeners[channel][c], c.inbox.channels[channel] = true, true
	return nil
}

// unlisten takes a connection from a channel, from all for "". What waits of it is not told.
func (p *post) unlisten(c *conn, channel string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in := &c.inbox
	for name := range in.channels {
		if channel != "" && name != channel {
			continue
		}
		delete(in.channels, name)
		if delete(p.listeners[name], c); len(p.listeners[name]) == 0 {
			delete(p.listeners, name)
		}
	}
	in.waiting = slices.DeleteFunc(in.waiting, func(n *notification) bool {
		gone := !in.channels[n.channel]
		if gone {
			p.free(n)
		}
		return gone
	})
	maps.DeleteFunc(in.commits, func(of [2]string, _ *notification) bool { return !in.channels[of[0]] })
}

// take takes what waits for a connection.
func (p *post) take(c *conn) []*notification {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := c.inbox.waiting
	c.inbox.waiting = nil
	clear(c.inbox.commits)
	for _, n := range out {
		p.free(n)
	}
	return out
}

// free counts a notification that waits no longer.
func (p *post) free(n *notification) {
	if n.commit == nil {
		p.bytes -= len(n.payload) + len(n.channel)
	}
}

// channelsOf are those that a connection listens to, in order.
func (p *post) channelsOf(c *conn) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(c.inbox.channels))
}
