package bus

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tarn/embedded/fault"
	"tarn/embedded/record"
)

// SettingType is a setting's type, by Kafka's number of it (ConfigDef.Type on the wire).
type SettingType int8

// String is the type's word.
func (t SettingType) String() string {
	switch t {
	case BooleanSetting:
		return "boolean"
	case IntSetting, LongSetting:
		return "number"
	case DoubleSetting:
		return "ratio"
	case ListSetting:
		return "list"
	}
	return "text"
}

// The types that topics' settings have.
const (
	BooleanSetting SettingType = 1
	StringSetting  SettingType = 2
	IntSetting     SettingType = 3
	LongSetting    SettingType = 5
	DoubleSetting  SettingType = 6
	ListSetting    SettingType = 7
)

// foreverAfter is the age that counts as for ever: a time.Duration holds not much more.
const foreverAfter = 100 * 365 * 24 * time.Hour

// Setting is one of a topic's settings, by the name that Kafka gives it.
type Setting struct {
	Name    string
	Type    SettingType
	Doc     string
	InForce bool // else it is taken and told, and changes nothing

	fallback string // the default; where it follows from others, field tells it
	valid    func(value string) error
	field    *settingField // of those that TopicConfig has a field for
}

// settingField is a setting that TopicConfig keeps in a field of its own.
type settingField struct {
	get func(c *TopicConfig) (value string, set bool) // the value in force
	put func(c *TopicConfig, value string)            // "" is the default again
}

// The names of the settings that Tarn itself asks for.
const (
	SettingCleanup         = "cleanup.policy"
	SettingRetention       = "retention.ms"
	SettingRetentionBytes  = "retention.bytes"
	SettingMessageBytes    = "max.message.bytes"
	SettingTimestampType   = "message.timestamp.type"
	SettingTimestampBefore = "message.timestamp.before.max.ms"
	SettingTimestampAfter  = "message.timestamp.after.max.ms"
	SettingMinLag          = "min.compaction.lag.ms"
	SettingMaxLag          = "max.compaction.lag.ms"
	SettingDirtyRatio      = "min.cleanable.dirty.ratio"
	SettingTombstones      = "delete.retention.ms"
	SettingLand            = "tarn.land"
	SettingTable           = "tarn.table"
	SettingMirror          = "tarn.mirror"
	SettingColumns         = "tarn.columns"
)

const (
	longMax = "9223372036854775807"
	dayMs   = "86400000"
)

// settings is the table of them all, in order of name (Kafka 4.3, LogConfig and TopicConfig).
var settings = []Setting{
	{
		Name: SettingCleanup, Type: ListSetting, fallback: "delete", InForce: true, valid: listOf("delete", "compact"),
		Doc: "What becomes of old records: delete by age and size, compact to the newest of each key, or both. With compact each record has a key.",
	},
	{Name: "compression.gzip.level", Type: IntSetting, fallback: "-1", valid: whole(-1, 9), Doc: "Batches stay as their producer packed them."},
	{Name: "compression.lz4.level", Type: IntSetting, fallback: "9", valid: whole(1, 17), Doc: "Batches stay as their producer packed them."},
	{
		Name: "compression.type", Type: StringSetting, fallback: "producer", valid: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
		Doc: "Batches stay as their producer packed them.",
	},
	{Name: "compression.zstd.level", Type: IntSetting, fallback: "3", valid: whole(-131072, 22), Doc: "Batches stay as their producer packed them."},
	{
		Name: SettingTombstones, Type: LongSetting, fallback: dayMs, InForce: true, valid: whole(0, math.MaxInt64),
		Doc: "For how long compaction keeps the tombstones of deleted keys, and the markers of transactions, in ms.",
	},
	{Name: "file.delete.delay.ms", Type: LongSetting, fallback: "60000", valid: whole(0, math.MaxInt64), Doc: "Files go when nobody reads them."},
	{Name: "flush.messages", Type: LongSetting, fallback: longMax, valid: whole(1, math.MaxInt64), Doc: "The server's bus.fsync decides."},
	{Name: "flush.ms", Type: LongSetting, fallback: longMax, valid: whole(0, math.MaxInt64), Doc: "The server's bus.fsync decides."},
	{Name: "follower.replication.throttled.replicas", Type: ListSetting, valid: anything, Doc: "There is one replica."},
	{Name: "index.interval.bytes", Type: IntSetting, fallback: "4096", valid: whole(0, math.MaxInt32), Doc: "The index holds every message."},
	{Name: "leader.replication.throttled.replicas", Type: ListSetting, valid: anything, Doc: "There is one replica."},
	{
		Name: SettingMaxLag, Type: LongSetting, fallback: longMax, InForce: true, valid: whole(1, math.MaxInt64),
		Doc: "After how long a record is compacted at the latest, in ms, however little there is to gain.",
	},
	{
		Name: SettingMessageBytes, Type: IntSetting, fallback: "1048588", InForce: true, valid: whole(0, record.BatchBytesMax),
		Doc: "The largest batch that a Kafka client may send, in bytes, as it is packed.",
	},
	{
		Name: SettingTimestampAfter, Type: LongSetting, fallback: "3600000", InForce: true, valid: whole(0, math.MaxInt64),
		Doc: "How far in the future a record's own time may lie, in ms, when a Kafka client sends it.",
	},
	{
		Name: SettingTimestampBefore, Type: LongSetting, fallback: longMax, InForce: true, valid: whole(0, math.MaxInt64),
		Doc: "How far in the past a record's own time may lie, in ms, when a Kafka client sends it.",
	},
	{
		Name: SettingTimestampType, Type: StringSetting, fallback: "CreateTime", InForce: true, valid: oneOf("CreateTime", "LogAppendTime"),
		Doc: "Whose time a record bears: its producer's, or the log's.",
	},
	{
		Name: SettingDirtyRatio, Type: DoubleSetting, fallback: "0.5", InForce: true, valid: ratio,
		Doc: "Which share of the log may be not yet compacted before it is.",
	},
	{
		Name: SettingMinLag, Type: LongSetting, fallback: "0", InForce: true, valid: whole(0, math.MaxInt64),
		Doc: "For how long a record is not compacted, in ms.",
	},
	{Name: "min.insync.replicas", Type: IntSetting, fallback: "1", valid: whole(1, math.MaxInt32), Doc: "There is one replica, and it is in sync."},
	{Name: "preallocate", Type: BooleanSetting, fallback: "false", valid: oneOf("true", "false"), Doc: "Files grow as they are written."},
	{
		Name: SettingRetentionBytes, Type: LongSetting, InForce: true, valid: whole(math.MinInt64, math.MaxInt64), field: &settingField{getRetentionBytes, putRetentionBytes},
		Doc: "How large a partition may grow before its oldest records go; -1 for no bound. By default 1 GB a topic that lands, none else.",
	},
	{
		Name: SettingRetention, Type: LongSetting, InForce: true, valid: whole(-1, math.MaxInt64), field: &settingField{getRetention, putRetention},
		Doc: "How old records may grow, in ms; -1 for ever. By default 24 hours where the topic lands, 7 days else.",
	},
	{Name: "segment.bytes", Type: IntSetting, fallback: "1073741824", valid: whole(1<<20, math.MaxInt32), Doc: "Files are cut by the log itself."},
	{Name: "segment.index.bytes", Type: IntSetting, fallback: "10485760", valid: whole(4, math.MaxInt32), Doc: "Files are cut by the log itself."},
	{Name: "segment.jitter.ms", Type: LongSetting, fallback: "0", valid: whole(0, math.MaxInt64), Doc: "Files are cut by the log itself."},
	{Name: "segment.ms", Type: LongSetting, fallback: "604800000", valid: whole(1, math.MaxInt64), Doc: "Files are cut by the log itself."},
	{
		Name: SettingColumns, Type: StringSetting, valid: anything, field: &settingField{getColumns, putColumns},
		Doc: "Kept with the topic; the types of columns come from the records.",
	},
	{
		Name: SettingLand, Type: BooleanSetting, InForce: true, valid: oneOf("true", "false"), field: &settingField{getLand, putLand},
		Doc: "Whether the topic's records land in a bronze table. Switched on, it takes them from the start of the log.",
	},
	{
		Name: SettingMirror, Type: StringSetting, InForce: true, valid: anything, field: &settingField{getMirror, putMirror},
		Doc: "The silver table that mirrors the topic, where it is not to have its source table's name.",
	},
	{
		Name: SettingTable, Type: StringSetting, InForce: true, valid: anything, field: &settingField{getTable, putTable},
		Doc: "The bronze table of the topic, where it is not to have the topic's name.",
	},
	{Name: "unclean.leader.election.enable", Type: BooleanSetting, fallback: "false", valid: oneOf("true", "false"), Doc: "There is one replica, and it leads."},
}

// Settings are all settings that a topic can have, in order of name.
func Settings() []Setting {
	return slices.SortedFunc(slices.Values(settings), func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
}

// SettingNamed is the setting of a name; without one it is a NotFound fault.
func SettingNamed(name string) (Setting, error) {
	if i := slices.IndexFunc(settings, func(s Setting) bool { return s.Name == name }); i >= 0 {
		return settings[i], nil
	}
	hint := "DESCRIBE TOPIC names the settings that there are"
	if near := fault.Nearest(name, settingNames(), len(name)/2+1); near != "" {
		hint = "did you mean " + near + "?"
	}
	return Setting{}, fault.Newf(fault.NotFound, hint, "topics have no setting %q", name)
}

func settingNames() []string {
	var names []string
	for _, s := range Settings() {
		names = append(names, s.Name)
	}
	return names
}

// Value is the value that a setting has in a topic's configuration; set tells whether somebody chose it.
func (s Setting) Value(c TopicConfig) (value string, set bool) {
	if s.field != nil {
		return s.field.get(&c)
	}
	if value, set = c.Settings[s.Name]; set {
		return value, true
	}
	return s.fallback, false
}

// Default is the value that a setting has in a configuration where nobody chose one.
func (s Setting) Default(c TopicConfig) string {
	value, _ := s.Value(s.without(c))
	return value
}

// Check tells whether a value is one of the setting's.
func (s Setting) Check(value string) error {
	if err := s.valid(value); err != nil {
		return fault.Newf(fault.Invalid, s.Doc, "setting %s cannot be %q: %v", s.Name, value, err)
	}
	return nil
}

// With is the configuration with a setting; c stays as it is.
func (c TopicConfig) With(name, value string) (TopicConfig, error) {
	s, err := SettingNamed(name)
	if err != nil {
		return c, err
	}
	value = strings.TrimSpace(value)
	if err := s.Check(value); err != nil {
		return c, err
	}
	if s.field != nil {
		s.field.put(&c, value)
		return c, nil
	}
	c.Settings = maps.Clone(c.Settings)
	if c.Settings == nil {
		c.Settings = map[string]string{}
	}
	c.Settings[name] = value
	return c, nil
}

// Without is the configuration with a setting's default in force; c stays as it is.
func (c TopicConfig) Without(name string) (TopicConfig, error) {
	s, err := SettingNamed(name)
	if err != nil {
		return c, err
	}
	return s.without(c), nil
}

func (s Setting) without(c TopicConfig) TopicConfig {
	if s.field != nil {
		s.field.put(&c, "")
		return c
	}
	c.Settings = maps.Clone(c.Settings)
	delete(c.Settings, s.Name)
	return c
}

// text is the value in force of a setting that is in the table.
func (c TopicConfig) text(name string) string {
	if value, set := c.Settings[name]; set {
		return value
	}
	s, err := SettingNamed(name)
	if err != nil {
		panic(err) // the names are constants of this file
	}
	return s.fallback
}

// millis is a setting in ms as a duration; what lies beyond foreverAfter is that.
func (c TopicConfig) millis(name string) time.Duration {
	ms, err := strconv.ParseInt(c.text(name), 10, 64)
	if err != nil || ms > foreverAfter.Milliseconds() {
		return foreverAfter
	}
	return time.Duration(ms) * time.Millisecond
}

// Cleanup tells what becomes of old records.
func (c TopicConfig) Cleanup() (deletes, compacts bool) {
	text := c.Settings[SettingCleanup]
	return text == "" || strings.Contains(text, "delete"), strings.Contains(text, "compact")
}

// AppendTime tells whether records bear the time of the log.
func (c TopicConfig) AppendTime() bool { return c.Settings[SettingTimestampType] == "LogAppendTime" }

// MessageBytesMax is the largest batch that a Kafka client may send.
func (c TopicConfig) MessageBytesMax() int {
	n, err := strconv.Atoi(c.text(SettingMessageBytes))
	if err != nil {
		return record.BatchBytesMax
	}
	return n
}

// dirtyRatio is the share of the log that may be not yet compacted.
func (c TopicConfig) dirtyRatio() float64 {
	f, err := strconv.ParseFloat(c.text(SettingDirtyRatio), 64)
	if err != nil {
		return 0.5
	}
	return f
}

func anything(string) error { return nil }

func oneOf(values ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("it is one of %s", strings.Join(values, ", "))
		}
		return nil
	}
}

func listOf(values ...string) func(string) error {
	one := oneOf(values...)
	return func(v string) error {
		for part := range strings.SplitSeq(v, ",") {
			if err := one(strings.TrimSpace(part)); err != nil {
				return err
			}
		}
		return nil
	}
}

func whole(least, most int64) func(string) error {
	return func(v string) error {
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("it is a whole number of %d to %d", least, most)
		}
		return nil
	}
}

func ratio(v string) error {
	if f, err := strconv.ParseFloat(v, 64); err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("it is a number of 0 to 1")
	}
	return nil
}

func getRetention(c *TopicConfig) (string, bool) {
	age := c.Retention
	if age == 0 {
		age = c.defaultRetention()
	}
	if age < 0 {
		return "-1", true
	}
	return strconv.FormatInt(age.Milliseconds(), 10), c.Retention != 0
}

// putRetention keeps 0 ms as one nanosecond, for 0 is the default.
func putRetention(c *TopicConfig, value string) {
	ms, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		c.Retention = 0
	case ms < 0 || ms > foreverAfter.Milliseconds():
		c.Retention = -1
	default:
		c.Retention = max(1, time.Duration(ms)*time.Millisecond)
	}
}

func getRetentionBytes(c *TopicConfig) (string, bool) {
	n := c.RetentionBytes
	if n == 0 {
		n = c.defaultRetentionBytes()
	}
	if n <= 0 {
		return "-1", c.RetentionBytes != 0
	}
	return strconv.FormatInt(n, 10), c.RetentionBytes != 0
}

// putRetentionBytes keeps 0 as 1, for 0 is the default: of both only the last message stays.
func putRetentionBytes(c *TopicConfig, value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		c.RetentionBytes = 0
	case n < 0:
		c.RetentionBytes = -1
	default:
		c.RetentionBytes = max(1, n)
	}
}

func getLand(c *TopicConfig) (string, bool)    { return strconv.FormatBool(c.Land), c.Land }
func putLand(c *TopicConfig, value string)     { c.Land = value == "true" }
func getTable(c *TopicConfig) (string, bool)   { return c.Table, c.Table != "" }
func putTable(c *TopicConfig, value string)    { c.Table = value }
func getMirror(c *TopicConfig) (string, bool)  { return c.Mirror, c.Mirror != "" }
func putMirror(c *TopicConfig, value string)   { c.Mirror = value }
func getColumns(c *TopicConfig) (string, bool) { return c.Columns, c.Columns != "" }
func putColumns(c *TopicConfig, value string)  { c.Columns = value }
