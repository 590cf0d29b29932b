// Whether forward mode, second derivatives and lanes of a function agree with reverse mode and a loop, where torch's
// samples stand.
#pragma once
#include <jot/jot.h>

#include <functional>
#include <string>
#include <vector>

namespace jot::coverage {

using Map = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

// Empty, or which element differs by more than `tolerance` of the largest.
std::string compare(const std::vector<Tensor>& got, const std::vector<Tensor>& expected, double tolerance);
// Each is empty or says what differs, by more than `tolerance` of the largest element.
// A cotangent of the forward derivative is its tangent's product with the gradient.
std::string forward_differs(const Map& f, const std::vector<Tensor>& x, double tolerance);
// The gradient's derivative in a direction, forward over reverse, is the gradient of its product with the direction.
std::string second_differs(const Map& f, const std::vector<Tensor>& x, double tolerance);
// vmap over two lanes, the second with the elements in the opposite order, is a loop.
std::string lanes_differ(const Map& f, const std::vector<Tensor>& x, double tolerance);

}  // namespace jot::coverage
