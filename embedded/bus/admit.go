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

// Admit tells whether a batch of a Kafka client keeps to the topic's settings: size, times and keys. Tarn's own writers
// are bound by the limits of the log alone. The survey is the batch's.
func (c TopicConfig) Admit(b record.Batch, survey record.Survey, now time.Time) error {
	if most := c.MessageBytesMax(); len(b) > most {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBatchTooLarge, len(b), most)
	}
	if _, compacts := c.Cleanup(); compacts && survey.Keyless {
		return ErrNoKey
	}
	if c.AppendTime() {
		return nil
	}
	if newest := now.Add(c.millis(SettingTimestampAfter)).UnixMilli(); b.MaxTimestamp() > newest {
		return fmt.Errorf("%w: %d, at most %d", ErrTimestamp, b.MaxTimestamp(), newest)
	}
	if before := c.millis(SettingTimestampBefore); before < foreverAfter {
		if oldest := now.Add(-before).UnixMilli(); survey.Oldest < oldest {
			return fmt.Errorf("%w: %d, at least %d", ErrTimestamp, survey.Oldest, oldest)
		}
	}
	return nil
}

// keyed tells whether each record has a key: else no compaction could keep the newest. It reads them where no survey is known.
func keyed(batches []record.Batch, known *record.Survey) error {
	for _, b := range batches {
		if b.Control() {
			continue
		}
		survey := known
		if survey == nil {
			found, err := b.Survey()
			if err != nil {
				return err
			}
			survey = &found
		}
		if survey.Keyless {
			return ErrNoKey
		}
	}
	return nil
}
