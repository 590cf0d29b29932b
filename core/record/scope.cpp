#include "core/record/scope.h"

#include "core/record/thread.h"

namespace jot::detail {

Scope::Scope(std::string_view name, Location at)
    : name_size_(thread_state().scope.size()), outer_(thread_state().scope_location) {
  ThreadState& s = thread_state();
  if (!s.scope.empty() && !name.empty()) s.scope += '/';
  s.scope += name;
  if (at.line && !s.scope_location.line) s.scope_location = at;
}
Scope::~Scope() {
  thread_state().scope.resize(name_size_);
  thread_state().scope_location = outer_;
}

CallSite::CallSite(Location at) : outer_(thread_state().call_site) {
  if (at.line) thread_state().call_site = at;
}
CallSite::~CallSite() { thread_state().call_site = outer_; }
Location CallSite::current() { return thread_state().call_site; }

Composite::Composite(std::string_view name, Location at)
    : outer_(thread_state().composite), outer_line_(thread_state().composite_line) {
  ThreadState& s = thread_state();
  if (!s.composite.empty()) return;
  s.composite = name;
  s.composite_line = at;
}
Composite::~Composite() {
  thread_state().composite = outer_;
  thread_state().composite_line = outer_line_;
}

}  // namespace jot::detail
