// Loops in plain C++ that the compiler is to vectorise, once for each instruction set that the processor may have:
// chosen when the library is loaded. None of them may be rounded differently with other lanes.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define JOT_CLONES
#endif
#endif
#if !defined(JOT_CLONES) && defined(__SANITIZE_THREAD__)  // with g++ 12 programs crash at start
#define JOT_CLONES
#endif
#if !defined(JOT_CLONES) && defined(__clang__)
#define JOT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#elif !defined(JOT_CLONES)
#define JOT_CLONES __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#endif
