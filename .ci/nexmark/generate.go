// Package nexmark makes the events of the Nexmark benchmark: of every 50 one person who
// registers, three auctions that open and 46 bids, at ten thousand a second of their own
// time from 2026 on. The same seed gives the same bytes; fewer events are the beginning of
// more. It writes them into files, as the peers read them, or into the log of a data folder,
// and knows the queries that are measured over them, in each engine's words.
package nexmark

import (
	"iter"
	"math/rand"
	"strconv"
	"time"
)

// Partitions of each topic.
const Partitions = 2

// Topics are the three kinds of events.
var Topics = []string{"auction", "bid", "person"}

// Event is one record: a flat JSON object, without a line's end.
type Event struct {
	Topic     string
	Partition int32
	Millis    int64  // its dateTime, since 1970
	Value     []byte // until the next event
}

const (
	perSecond = 10_000
	perRound  = 50 // events, all of one partition: a person, three auctions, bids
	firstID   = 1000
	recent    = 1000 // bids are for one of so many auctions by one of so many persons, the last ones
	hotEvery  = 100  // every so manyth auction gets half of the bids until the next
)

var (
	start    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	states   = []string{"OR", "ID", "CA", "WA", "AZ"}
	channels = []string{"Google", "Facebook", "Baidu", "Apple"}
)

// Events yields the first n events of a seed.
func Events(n int, seed int64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		m := maker{r: rand.New(rand.NewSource(seed)), auctions: firstID, persons: firstID} //nolint:gosec // the same numbers each time are the point
		for i := range n {
			if !yield(m.event(i)) {
				return
			}
		}
	}
}

// maker takes its numbers from r in the order in which they stand in an event, which is what
// makes the bytes the same everywhere.
type maker struct {
	r                 *rand.Rand
	auctions, persons int // the next ids
	b                 []byte
}

func (m *maker) event(i int) Event {
	at := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
	e := Event{Partition: int32(i / perRound % Partitions), Millis: at.UnixMilli()} //nolint:gosec // 0 or 1
	m.b = m.b[:0]
	switch k := i % perRound; {
	case k == 0:
		e.Topic = "person"
		m.person(at)
	case k < 4:
		e.Topic = "auction"
		m.auction(at)
	default:
		e.Topic = "bid"
		m.bid(at)
	}
	e.Value = m.b
	return e
}

func (m *maker) person(at time.Time) {
	m.text(`{"id":`).number(m.persons).text(`,"name":"`).word(6).text(" ").word(8)
	m.text(`","emailAddress":"`).word(7).text("@").word(5).text(`.com","creditCard":"`).digits(m.r.Int63n(1e16), 16)
	m.text(`","city":"`).word(8).text(`","state":"`).text(states[m.r.Intn(len(states))])
	m.text(`","dateTime":"`).time(at).text(`","extra":"`).word(20).text(`"}`)
	m.persons++
}

func (m *maker) auction(at time.Time) {
	seller := m.persons - 1 - m.r.Intn(min(m.persons, recent))
	expires := at.Add(time.Duration(1+m.r.Intn(20)) * time.Second)
	m.text(`{"id":`).number(m.auctions).text(`,"itemName":"`).word(12).text(`","description":"`).word(40)
	m.text(`","initialBid":`).number(m.r.Intn(1000)).text(`,"reserve":`).number(m.r.Intn(5000))
	m.text(`,"dateTime":"`).time(at).text(`","expires":"`).time(expires)
	m.text(`","seller":`).number(seller).text(`,"category":`).number(10 + m.r.Intn(5)).text(`,"extra":"`).word(30).text(`"}`)
	m.auctions++
}

func (m *maker) bid(at time.Time) {
	auction := m.auctions - 1 - m.r.Intn(recent)
	if m.r.Intn(2) == 0 {
		auction = (m.auctions - 1) / hotEvery * hotEvery
	}
	bidder := m.persons - 1 - m.r.Intn(recent)
	channel := channels[m.r.Intn(len(channels))]
	price := int(100 * (1 + m.r.ExpFloat64()*1000))
	m.text(`{"auction":`).number(auction).text(`,"bidder":`).number(bidder).text(`,"price":`).number(price)
	m.text(`,"channel":"`).text(channel).text(`","url":"https://www.nexmark.com/`).word(5).text(`/item.htm?query=1`)
	m.text(`","dateTime":"`).time(at).text(`","extra":"`).word(30).text(`"}`)
}

func (m *maker) text(s string) *maker {
	m.b = append(m.b, s...)
	return m
}

func (m *maker) number(n int) *maker {
	m.b = strconv.AppendInt(m.b, int64(n), 10)
	return m
}

// digits is a number with zeros in front.
func (m *maker) digits(n int64, width int) *maker {
	for ; width > 1 && n < power10(width-1); width-- {
		m.b = append(m.b, '0')
	}
	m.b = strconv.AppendInt(m.b, n, 10)
	return m
}

func power10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func (m *maker) word(n int) *maker {
	for range n {
		m.b = append(m.b, byte('a'+m.r.Intn(26)))
	}
	return m
}

func (m *maker) time(t time.Time) *maker {
	m.b = t.AppendFormat(m.b, "2006-01-02T15:04:05.000Z")
	return m
}
