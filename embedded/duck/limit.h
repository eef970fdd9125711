#include <stddef.h>

// The most memory that the process may have when a large piece is given out, in bytes; 0 = no limit.
void tarn_memory_limit(long long bytes);

// Whether the process may have so many bytes more.
int tarn_memory_fits(size_t size);

// Whether the process has more than the limit.
int tarn_memory_over(void);
