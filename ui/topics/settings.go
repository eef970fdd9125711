package topics

import (
	"strconv"

	"tarn/embedded/bus"
	"tarn/ui/words"
)

// Setting is one of a topic's settings, or how many partitions it has.
type Setting struct {
	Name, Value, Default string
	Doc                  string // in English
	Changed              bool   // somebody chose the value
	InForce              bool   // else it is kept for Kafka's tools, and changes nothing
	Truth                bool   // it is true or false
}

// Partitions is the name of the setting that none of Kafka's is.
const Partitions = "partitions"

// Settings are a topic's, those in force first, each in order of name.
func Settings(t *bus.Topic) []Setting {
	c := t.Config()
	n := len(t.Partitions())
	in := []Setting{{Name: Partitions, Value: strconv.Itoa(n), Default: "1", Doc: words.PartitionsDoc, Changed: n != 1, InForce: true}}
	var rest []Setting
	for _, s := range bus.Settings() {
		value, changed := s.Value(c)
		one := Setting{s.Name, value, s.Default(c), s.Doc, changed, s.InForce, s.Type == bus.BooleanSetting}
		if s.InForce {
			in = append(in, one)
		} else {
			rest = append(rest, one)
		}
	}
	return append(in, rest...)
}
