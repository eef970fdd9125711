package kafka

import (
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionPartitionsMax bounds what a fetch session remembers; who wants more is answered without one.
const sessionPartitionsMax = 20_000

// session is a fetch session (KIP-227): the partitions that a consumer wants, of which each request says only what is
// new and each answer only what has changed. It is of one connection, which clients use as long as the session; another
// connection starts another.
type session struct {
	id, epoch int32
	wants     []*want // in the order of their turn
	byPlace   map[place]*want
}

// place names a partition as the request does: by name, or by id from version 13 on.
type place struct {
	topic  string
	id     [16]byte
	number int32
}

// want is one partition that is to be fetched, and what the client knows of it.
type want struct {
	place
	epoch             int32
	offset            int64
	bytesMax          int
	told              bool // the rest is what the last answer said
	high, stable, low int64
}

func (w *want) set(p *kmsg.FetchRequestTopicPartition) {
	w.epoch, w.offset, w.bytesMax = p.CurrentLeaderEpoch, p.FetchOffset, max(int(p.PartitionMaxBytes), 0)
}

// wanted are the partitions of a request, in the order of the request.
func wanted(req *kmsg.FetchRequest) []*want {
	var out []*want
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			w := &want{place: place{t.Topic, t.TopicID, p.Partition}}
			w.set(p)
			out = append(out, w)
		}
	}
	return out
}

// open finds what a request wants. A session is returned only for a request within one, and within one that goes on
// only what has changed is answered.
func (c *conn) open(req *kmsg.FetchRequest) (wants []*want, s *session, goesOn bool, failed *kerr.Error) {
	switch {
	case req.Version < 7 || req.SessionEpoch == -1:
		if c.session != nil && c.session.id == req.SessionID {
			c.session = nil
		}
		return wanted(req), nil, false, nil
	case req.SessionEpoch == 0:
		c.session = nil
		wants = wanted(req)
		if len(wants) == 0 || len(wants) > sessionPartitionsMax {
			return wants, nil, false, nil
		}
		s = &session{id: c.door.sessionID(), byPlace: make(map[place]*want, len(wants))}
		for _, w := range wants {
			s.add(w)
		}
		c.session = s
	case c.session == nil || c.session.id != req.SessionID:
		return nil, nil, false, kerr.FetchSessionIDNotFound
	case c.session.epoch != req.SessionEpoch:
		return nil, nil, false, kerr.InvalidFetchSessionEpoch
	default:
		s, goesOn = c.session, true
		s.change(req)
	}
	if s.epoch++; s.epoch == math.MaxInt32 {
		s.epoch = 1
	}
	return s.wants, s, goesOn, nil
}

// sessionID gives out the ids of sessions, above 0.
func (d *Door) sessionID() int32 {
	for {
		if id := d.ids.Add(1) & math.MaxInt32; id > 0 {
			return id
		}
	}
}

func (s *session) add(w *want) {
	if was := s.byPlace[w.place]; was != nil {
		was.epoch, was.offset, was.bytesMax = w.epoch, w.offset, w.bytesMax
		return
	}
	if len(s.wants) < sessionPartitionsMax {
		s.byPlace[w.place] = w
		s.wants = append(s.wants, w)
	}
}

// change takes over what a request adds and forgets.
func (s *session) change(req *kmsg.FetchRequest) {
	for _, w := range wanted(req) {
		s.add(w)
	}
	forgotten := map[place]bool{}
	for _, t := range req.ForgottenTopics {
		for _, number := range t.Partitions {
			at := place{t.Topic, t.TopicID, number}
			delete(s.byPlace, at)
			forgotten[at] = true
		}
	}
	if len(forgotten) > 0 {
		s.wants = slices.DeleteFunc(s.wants, func(w *want) bool { return forgotten[w.place] })
	}
}

// news tells whether an answer says something of a partition that the client does not know, and notes it.
func (w *want) news(p *kmsg.FetchResponseTopicPartition, batches int) bool {
	same := w.told && p.ErrorCode == 0 && batches == 0 && w.high == p.HighWatermark && w.stable == p.LastStableOffset && w.low == p.LogStartOffset
	w.told = p.ErrorCode == 0 // what is wrong is said each time
	w.high, w.stable, w.low = p.HighWatermark, p.LastStableOffset, p.LogStartOffset
	return !same
}

// served puts the partitions that had records last, so that each has its turn.
func (s *session) served(had map[*want]bool) {
	if len(had) == 0 || len(had) == len(s.wants) {
		return
	}
	rest := make([]*want, 0, len(s.wants))
	for _, w := range s.wants {
		if !had[w] {
			rest = append(rest, w)
		}
	}
	for _, w := range s.wants {
		if had[w] {
			rest = append(rest, w)
		}
	}
	s.wants = rest
}
