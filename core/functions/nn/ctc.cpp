// Connectionist temporal classification: Graves et al., ICML 2006.
#include <algorithm>

#include "core/functions/demands.h"
#include "core/functions/nn/wide.h"
#include "jot/loops.h"

namespace jot::nn::functional {

using namespace detail;

namespace {

// log of a sum of exponentials, -inf where all are; derivatives are zero there.
Tensor log_of_sum(const std::vector<Tensor>& terms) {
  Tensor top = terms[0].detach();
  for (size_t i = 1; i < terms.size(); ++i) top = maximum(top, terms[i].detach());
  top = where(top == -inf, 0.0, top);
  Tensor total = exp(terms[0] - top);
  for (size_t i = 1; i < terms.size(); ++i) total = total + exp(terms[i] - top);
  Tensor none = total == 0;
  return where(none, -inf, log(where(none, 1.0, total)) + top);
}

class Ctc {
 public:
  Ctc(const Wide& w, const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
      const Tensor& target_lengths, int64_t blank)
      : w_(w), at_(w.at()), blank_(blank) {
    const bool batched = shape_of(log_probs).size() == 3;
    if (!batched && shape_of(log_probs).size() != 2)
      w.fail<ShapeError>("expected log_probs [T, N, C] or [T, C], got " + type_name(log_probs));
    for (const Tensor* t : {&targets, &input_lengths, &target_lengths})
      if (is_floating(t->impl()->dtype()) || t->impl()->dtype() == DType::boolean)
        w.fail<DTypeError>("targets and lengths must be integers, got " + type_name(*t));
    probs_ = batched ? w(log_probs) : w(log_probs).unsqueeze(1, at_);
    steps_ = probs_.size(0), lanes_ = probs_.size(1);
    classes_ = probs_.size(2);
    if (blank < 0 || blank >= classes_)
      w.fail<IndexError>("blank must be in label range: expected 0 to " + std::to_string(classes_ - 1) + ", got " +
                         std::to_string(blank));
    if (steps_ == 0) w.fail<ShapeError>("expected at least one step, got log_probs " + type_name(log_probs));
    input_lengths_ = lengths(input_lengths, "input_lengths", steps_);
    target_lengths_ = lengths(target_lengths, "target_lengths",
                              batched && shape_of(targets).size() == 2 ? shape_of(targets)[1] : targets.numel());
    labels_ = batched ? padded(targets) : targets.reshape({1, -1}, at_).to(DType::i64, at_);
  }

  // Of each lane: minus the logarithm of the probability of all paths.
  Tensor loss() const {
    const int64_t n = labels_.size(1), places = 2 * n + 1;
    Tensor inside = arange(n) < target_lengths_.unsqueeze(1, at_);
    Tensor labels = where(inside, labels_, blank_);
    labels = demanded(w_.op(), labels, {0, static_cast<double>(classes_ - 1)},
                      "class {} is out of range; expected 0 to " + std::to_string(classes_ - 1), at_);
    // blank, label, blank, ..., blank
    Tensor blanks = full({lanes_, n, 1}, blank_, DType::i64);
    Tensor path = cat({cat({blanks, labels.unsqueeze(2, at_)}, 2).reshape({lanes_, 2 * n}, at_),
                       full({lanes_, 1}, blank_, DType::i64)},
                      1, at_);
    Tensor emitted = gather(probs_, 2, path.unsqueeze(0, at_).expand({steps_, lanes_, places}, at_), at_);
    Tensor place = arange(places);
    Tensor start = where(place < 2, emitted.select(0, 0, at_), -inf);
    // From two places before, past a blank between different labels.
    Tensor skips = logical_and(place >= 2, logical_and(path != blank_, path != moved(path, 2, Arg(blank_, at_))));
    auto step = [&](const Tensor& alpha, const std::pair<Tensor, Tensor>& now) {
      const auto& [t, logs] = now;
      Tensor two = where(skips, moved(alpha, 2, Arg(-inf, at_)), -inf);
      Tensor next = logs + log_of_sum({alpha, moved(alpha, 1, Arg(-inf, at_)), two});
      return std::pair{where(t < input_lengths_.unsqueeze(1, at_), next, alpha), std::tuple<>()};
    };
    auto later = std::pair{arange(1, steps_), emitted.slice(0, 1, none, 1, at_)};
    Tensor alpha = scan(step, start, later, {}, at_).first;
    // The last blank, and the last label if there is one.
    Tensor last = (target_lengths_ * 2).unsqueeze(1, at_);
    Tensor label = where(last > 0, gather(alpha, 1, clamp_min(last - 1, 0), at_), -inf);
    Tensor loss = -log_of_sum({gather(alpha, 1, last, at_), label}).squeeze(1, at_);
    // In no steps there is the empty path alone.
    return where(input_lengths_ == 0, where(target_lengths_ == 0, 0.0, inf), loss);
  }
  const Tensor& target_lengths() const { return target_lengths_; }

 private:
  // Each is to be from 0 to `most`.
  Tensor lengths(const Tensor& x, const std::string& name, int64_t most) const {
    if (shape_of(x).numel() != lanes_ || shape_of(x).size() > 1)
      w_.fail<ShapeError>(name + " must be of size batch_size, " + std::to_string(lanes_) + ": got " + type_name(x));
    Tensor r = x.to(DType::i64, at_).reshape({lanes_}, at_);
    return demanded(w_.op(), r, {0, static_cast<double>(most)},
                    "expected " + name + " from 0 to " + std::to_string(most) + ", got {}", at_);
  }
  // [N, S]; of targets in a row S is the greatest length, or where that is not known all.
  Tensor padded(const Tensor& targets) const {
    if (shape_of(targets).size() == 2) {
      if (shape_of(targets)[0] != lanes_)
        w_.fail<ShapeError>("expected targets [N, S] with N = " + std::to_string(lanes_) + ", got " +
                            type_name(targets));
      return targets.to(DType::i64, at_);
    }
    if (shape_of(targets).size() != 1)
      w_.fail<ShapeError>("expected targets [N, S], or all in a row, got " + type_name(targets));
    const int64_t all = shape_of(targets)[0];
    if (all == 0 || lanes_ == 0) return zeros({lanes_, 0}, DType::i64, at_);
    Tensor ends = cumsum(target_lengths_, 0, at_), total = ends.select(0, lanes_ - 1, at_);
    ends = demanded(w_.op(), ends, total == all, total,
                    "expected target_lengths whose sum is " + std::to_string(all) + ", the number of targets, got {}",
                    at_);
    const int64_t n = tracing() ? all : amax(target_lengths_, {}, false, at_).item<int64_t>(at_);
    Tensor begins = (ends - target_lengths_).unsqueeze(1, at_);
    Tensor place = arange(n), inside = place < target_lengths_.unsqueeze(1, at_);
    return take(targets.to(DType::i64, at_), where(inside, begins + place, 0), at_);
  }
  // Along the places by so many to the right, with `filled` on the left.
  Tensor moved(const Tensor& x, int64_t by, const Arg& filled) const {
    const int64_t n = x.size(1);
    if (n <= by) return full({lanes_, n}, filled, x.dtype());
    return cat({full({lanes_, by}, filled, x.dtype()), x.slice(1, 0, n - by, 1, at_)}, 1, at_);
  }

  const Wide& w_;
  Location at_;
  int64_t blank_, steps_ = 0, lanes_ = 0, classes_ = 0;
  Tensor probs_, input_lengths_, target_lengths_, labels_;
};

}  // namespace

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcLossOptions& options, Location at) {
  Wide w("ctc_loss", at, {&log_probs});
  impl_of(targets, "ctc_loss", at), impl_of(input_lengths, "ctc_loss", at), impl_of(target_lengths, "ctc_loss", at);
  Ctc ctc(w, log_probs, targets, input_lengths, target_lengths, options.blank);
  Tensor loss = ctc.loss();
  if (options.zero_infinity) loss = where(loss == inf, 0.0, loss);
  if (options.reduction == Reduction::mean) loss = loss / clamp_min(ctc.target_lengths(), 1).to(w.within(), at);
  if (options.reduction == Reduction::none && shape_of(log_probs).size() == 2) loss = loss.squeeze(0, at);
  return w.reduced(loss, options.reduction);
}

}  // namespace jot::nn::functional
