package txn

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"tarn/embedded/meta"
)

// State is where a transaction is, by Kafka's name.
type State string

// The states.
const (
	Empty          State = "Empty"
	Ongoing        State = "Ongoing"
	PrepareCommit  State = "PrepareCommit"
	PrepareAbort   State = "PrepareAbort"
	CompleteCommit State = "CompleteCommit"
	CompleteAbort  State = "CompleteAbort"
)

// Transaction is what is known of a transactional id.
type Transaction struct {
	ID           string             `json:"-"`
	Producer     int64              `json:"producer"`
	Epoch        int16              `json:"epoch"`
	LastProducer int64              `json:"last_producer"`           // before the id was used up; -1 for none
	LastEpoch    int16              `json:"last_epoch"`              // before the last bump that a producer asked for itself (KIP-360, 890); -1 for none
	NextProducer int64              `json:"next_producer,omitempty"` // once the end under way is complete, where it uses up the last epoch; 0 for none
	Second       bool               `json:"second,omitempty"`        // the last end was EndAndBump's: the transaction had LastEpoch, its markers have Epoch
	Timeout      time.Duration      `json:"timeout"`
	State        State              `json:"state"`
	Partitions   map[string][]int32 `json:"partitions,omitempty"` // of topics
	Groups       []string           `json:"groups,omitempty"`
	Started      int64              `json:"started,omitempty"` // ms; 0 while none is under way
	Updated      int64              `json:"updated"`           // ms

	then int16 // the epoch once it has ended, if above Epoch
}

func (t *Transaction) clone() Transaction {
	out := *t
	out.Partitions = maps.Clone(t.Partitions)
	out.Groups = slices.Clone(t.Groups)
	return out
}

// begin makes a transaction one that is under way.
func (t *Transaction) begin(now time.Time) {
	if t.State != Ongoing {
		t.State, t.Partitions, t.Groups, t.Started = Ongoing, nil, nil, now.UnixMilli()
	}
}

func (t *Transaction) ending() bool { return t.State == PrepareCommit || t.State == PrepareAbort }

// entry is how meta.db keeps it.
func (t *Transaction) entry() (meta.Entry, error) {
	value, err := json.Marshal(t)
	return meta.Entry{Bucket: meta.Transactions, Key: t.ID, Value: value}, err
}

// List returns what is known of all transactional ids, in order.
func (c *Coordinator) List() []Transaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Transaction
	for _, id := range slices.Sorted(maps.Keys(c.ids)) {
		if t := c.ids[id].get(); t.Epoch >= 0 {
			out = append(out, t)
		}
	}
	return out
}

// Describe returns what is known of a transactional id, or ErrNotFound.
func (c *Coordinator) Describe(id string) (Transaction, error) {
	c.mu.Lock()
	h := c.ids[id]
	c.mu.Unlock()
	if h != nil {
		if t := h.get(); t.Epoch >= 0 {
			return t, nil
		}
	}
	return Transaction{}, ErrNotFound
}
