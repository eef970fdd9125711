package topics

import (
	"strconv"

	"tarn/embedded/bus/group"
	"tarn/embedded/sqltext"
	"tarn/ui/words"
)

// Group is a consumer group over all that it reads.
type Group struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Members int      `json:"members"`
	Topics  []string `json:"topics"` // of which it has committed offsets
	Lag     int64    `json:"lag"`    // records that it has not committed yet
}

// lookGroups sums up lines, which are in order of their groups and topics.
func lookGroups(lines []group.Line) []Group {
	groups := []Group{}
	for _, l := range lines {
		if n := len(groups); n == 0 || groups[n-1].Name != l.Group {
			groups = append(groups, Group{Name: l.Group, State: string(l.State), Members: l.Members, Topics: []string{}})
		}
		g := &groups[len(groups)-1]
		if g.Lag += l.Lag; l.Topic != "" && (len(g.Topics) == 0 || g.Topics[len(g.Topics)-1] != l.Topic) {
			g.Topics = append(g.Topics, l.Topic)
		}
	}
	return groups
}

// Idle tells whether the group's offsets may be set: it has some, and nobody who reads.
func (g Group) Idle() bool { return g.State == string(group.Empty) && len(g.Topics) > 0 }

// Reset is the statement that sets the group's offsets to EARLIEST or LATEST.
func (g Group) Reset(to string) string {
	return "ALTER GROUP " + sqltext.Name(g.Name) + " SET OFFSETS TO " + to
}

// Key begins the names of the group's values.
func (g Group) Key() string { return "g." + g.Name + "." }

// Texts are those of one group that move.
func (g Group) Texts() map[string]words.Text {
	return map[string]words.Text{g.Key() + "lag": words.Count(g.Lag)}
}

// shape names what is no value of it.
func (g Group) shape() string { return g.Name + "\x00" + g.State + "\x00" + strconv.Itoa(g.Members) }
