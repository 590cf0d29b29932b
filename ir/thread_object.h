// A T of each thread, which outlives the thread's thread_local objects: their destructors may still use it. It is
// destroyed when the thread ends, after them, and made anew if something asks again. That of the main thread is never
// destroyed: static objects are destroyed after its thread_local ones and may use it, too.
#pragma once
#include <pthread.h>

#include <new>

// Before a thread_local variable of a few bytes that every operation reads: found without a call, also in a shared
// library. Libraries that are loaded at run time have about 1 KiB of these between them.
#define JOT_THREAD_LOCAL [[gnu::tls_model("initial-exec")]]

namespace jot {

template <class T>
class ThreadObject {
 public:
  // Null before the first get() and after the end.
  static T* find() { return current; }
  static T& get() {
    if (!current) make();
    return *current;
  }

 private:
  static void make() {
    static const pthread_key_t key = [] {
      pthread_key_t made;
      if (pthread_key_create(&made, [](void* object) { destroy(static_cast<T*>(object)); })) throw std::bad_alloc();
      return made;
    }();
    T* object = new T;
    current = object;
    if (pthread_setspecific(key, object)) {
      destroy(object);
      throw std::bad_alloc();
    }
  }
  // The object is found while it is destroyed.
  static void destroy(T* object) {
    delete object;
    current = nullptr;
  }

  JOT_THREAD_LOCAL static inline constinit thread_local T* current = nullptr;
};

}  // namespace jot
