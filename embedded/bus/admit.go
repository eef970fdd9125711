package bus

import (
	"errors"
	"fmt"
	"time"

	"tarn/embedded/record"
)

// What a topic's settings refuse.
var (
	ErrBatchTooLarge = errors.New("batch is larger than " + SettingMessageBytes)
	ErrTimestamp     = errors.New("time of a record is outside of the topic's bounds")
	ErrNoKey         = errors.New("record without a key, which a compacted topic cannot take")
)

// noTimestamp is Kafka's mark of a record without a time.
const noTimestamp = -1

// Admit tells whether a batch of a Kafka client keeps to the topic's settings: size and times.
// Tarn's own writers are bound by the limits of the log alone.
func (c TopicConfig) Admit(b record.Batch, now time.Time) error {
	if most := c.MessageBytesMax(); len(b) > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBatchTooLarge, len(b), most)
	}
	if c.AppendTime() || b.Control() {
		return nil
	}
	newest := now.Add(c.millis(SettingTimestampAfter)).UnixMilli()
	if b.MaxTimestamp() > newest {
		return fmt.Errorf("%w: %d, at most %d", ErrTimestamp, b.MaxTimestamp(), newest)
	}
	before := c.millis(SettingTimestampBefore)
	if before >= foreverAfter {
		return nil
	}
	records, err := b.Records()
	if err != nil {
		return err
	}
	oldest := now.Add(-before).UnixMilli()
	for i := range records {
		if at := records[i].Timestamp; at != noTimestamp && at < oldest {
			return fmt.Errorf("%w: %d, at least %d", ErrTimestamp, at, oldest)
		}
	}
	return nil
}

// keyed tells whether each record of data has a key: else no compaction could keep the newest.
func keyed(batches []record.Batch) error {
	for _, b := range batches {
		if b.Control() {
			continue
		}
		records, err := b.Records()
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Key == nil {
				return ErrNoKey
			}
		}
	}
	return nil
}
