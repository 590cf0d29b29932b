// Builders that follow a precedent: programs record the same operations again and again.
#include <algorithm>

#include "ir/builder_state.h"
#include "ir/env.h"
#include "ir/print.h"

namespace jot::ir {
namespace {

bool same_words(Op op, const AttrSource& given, const AttrView& made) {
  if (!has_regions(op)) return std::ranges::equal(given.words, made.words());
  std::vector<int64_t> words(made.words().begin(), made.words().end());
  if (words.size() != given.words.size()) return false;
  std::vector<size_t> regions = made.region_words();
  for (size_t at : regions) {
    auto mine = static_cast<size_t>(given.words[at]);
    if (mine >= given.regions.size() || given.regions[mine] != made.region_table()[static_cast<size_t>(words[at])])
      return false;
    words[at] = given.words[at];
  }
  return std::ranges::equal(given.words, words);
}

void check_shadow(bool same, const char* what) {
  if (!same) internal_error("a recording that follows another is the same as one that does not", what);
}

}  // namespace

void Builder::follow(std::shared_ptr<const Precedent> precedent) {
  State& s = *state_;
  if (size() != 0 || s.sharing == Sharing::on) internal_error("an empty builder without sharing follows", "");
  s.remembers = true;
  s.location = location();
  s.scope = graph_->scopes_[graph_->origins_[s.origin].scope];
  s.call = {};
  if (env().verify) {
    s.shadow = std::make_unique<Builder>(graph_->name_, Sharing::off);
    s.shadow->set_origin(s.location, s.scope);
  }
  if (!precedent) return;
  s.precedent = std::move(precedent);
  s.cursor = 0;
  s.next_copy = 0;
  s.matched_origin = kNoValue;
  view_ = s.precedent->made.get();
}

// The node that comes next, if it has this op and origin.
inline const Node* Builder::next_followed(Op op) {
  State& s = *state_;
  const GraphData& g = *view_;
  if (s.cursor >= g.nodes_.size()) return nullptr;
  const Node& n = g.nodes_[s.cursor];
  return n.op == op && (n.origin == s.matched_origin || has_next_origin(n)) ? &n : nullptr;
}

bool Builder::has_next_origin(const Node& n) {
  State& s = *state_;
  const Origin& o = view_->origins_[n.origin];
  if (o.location != s.location || view_->scopes_[o.scope] != s.scope || view_->calls_[o.call] != s.call) return false;
  s.matched_origin = n.origin;
  return true;
}

Value Builder::followed(Op op, std::span<const Value> operands, const AttrSource& attrs, bool in_place) {
  State& s = *state_;
  const Node* n = next_followed(op);
  if (!n || (n->in_place != 0) != in_place || n->num_operands != operands.size()) return kNoValue;
  const GraphData& g = *view_;
  const Value* made = n->num_operands <= 3 ? n->operand : &g.operand_pool_[n->operand[0]];
  for (size_t i = 0; i < operands.size(); ++i)
    if (operands[i] != made[i]) return kNoValue;
  const int64_t* words = &g.attr_words_[n->attrs];  // their number first; 0 where there are none
  if (words[0] != static_cast<int64_t>(attrs.words.size())) return kNoValue;
  if (attrs.regions.empty() && g.regions_.empty()) {
    for (size_t i = 0; i < attrs.words.size(); ++i)
      if (attrs.words[i] != words[i + 1]) return kNoValue;
  } else if (!same_words(op, attrs, g.attrs(s.cursor))) {
    return kNoValue;
  }
  Value v = s.cursor++;
  while (s.cursor < g.size() && g.nodes_[s.cursor].op == Op::result_op) ++s.cursor;
  return v;
}

Value Builder::followed_param(const Type& type, std::string_view name) {
  const Node* n = next_followed(Op::param_op);
  if (!n || !name.empty() || !view_->input_names_.empty() || *view_->types_[n->type] != type) return kNoValue;
  return state_->cursor++;
}

void Builder::copy_followed() {
  State& s = *state_;
  const GraphData& made = *view_;
  view_ = graph_.get();
  for (Value v = 0; v < s.cursor; ++v) {
    if (made.op(v) == Op::result_op) continue;
    if (made.op(v) != Op::param_op) {
      copy_here(made, v, made.operands(v));
      continue;
    }
    set_origin_of_here(made, v);
    param_here(made.type(v), {});
  }
  s.copies.assign(s.precedent->copies.begin(), s.precedent->copies.begin() + static_cast<std::ptrdiff_t>(s.next_copy));
  set_origin_here(s.location, s.scope);
  if (s.call != Call{}) set_call_here(s.call);
}

std::optional<std::span<const Value>> Builder::followed_copy(const GraphData& from, std::span<const Value> args) {
  State& s = *state_;
  if (view_ == graph_.get() || s.next_copy >= s.precedent->copies.size()) return {};
  const Precedent::Copy& next = s.precedent->copies[s.next_copy];
  if (next.begin != s.cursor || next.source != from.serial_ || !std::ranges::equal(next.args, args)) return {};
  ++s.next_copy;
  s.cursor = next.end;
  if (next.end > next.begin) {
    const Origin& last = view_->origin(next.end - 1);
    s.location = last.location;
    s.scope = view_->scopes_[last.scope];
    s.call = view_->calls_[last.call];
    s.matched_origin = kNoValue;
  }
  if (s.shadow) {
    std::vector<Value> map(from.size(), kNoValue), operands;
    for (size_t i = 0; i < args.size(); ++i) map[from.inputs_[i]] = args[i];
    for (Value v = 0; v < from.size(); ++v) {
      if (from.op(v) == Op::param_op) continue;
      operands.clear();
      for (Value o : from.operands(v)) operands.push_back(map[o]);
      map[v] = s.shadow->copy_node(from, v, operands);
    }
    for (size_t i = 0; i < next.outputs.size(); ++i)
      check_shadow(map[from.outputs_[i]] == next.outputs[i], "the outputs of a graph that was copied");
  }
  return next.outputs;
}

void Builder::copied(const GraphData& from, std::span<const Value> args, Value begin, std::span<const Value> outputs) {
  if (!state_->remembers) return;
  leave_precedent();
  state_->copies.push_back({begin, size(), from.serial_, {args.begin(), args.end()}, {outputs.begin(), outputs.end()}});
}

std::shared_ptr<const Builder::Precedent> Builder::finish_precedent(std::span<const Value> outputs) {
  State& s = *state_;
  std::shared_ptr<const Precedent> result;
  std::unique_ptr<Builder> shadow = std::move(s.shadow);
  if (view_ != graph_.get() && s.cursor == view_->size() && std::ranges::equal(outputs, view_->outputs_)) {
    result = std::move(s.precedent);
    view_ = graph_.get();
    s.remembers = false;
    s.copies.clear();
  } else {
    leave_precedent();
    auto made = std::make_shared<Precedent>();
    made->copies = std::move(s.copies);
    if (s.params_in_front) {
      made->graph = finish(outputs);
      made->made = made->graph.data_;
    } else {
      std::shared_ptr<GraphData> in_order(new GraphData(*graph_));
      in_order->outputs_.assign(outputs.begin(), outputs.end());
      made->made = std::move(in_order);
      made->graph = finish(outputs);
    }
    result = std::move(made);
  }
  if (shadow) check_shadow(to_text(shadow->finish(outputs)) == to_text(result->graph), "the finished graph");
  return result;
}

}  // namespace jot::ir
