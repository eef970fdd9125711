package kafka

// session is a fetch session (KIP-227).
type session struct{}

func (s *session) close() {}
