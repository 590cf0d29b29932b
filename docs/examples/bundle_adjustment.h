// Bundle adjustment: where must 49 cameras and 7,776 points be so that 31,843 observations fit best? Its solver needs
// the jacobian of every observation's residual (2 numbers) by the camera (11), the point (3) and the weight (1) it
// depends on.
#pragma once
#include <jot/jot.h>

#include <string>
#include <tuple>

namespace bundle_adjustment {

using jot::Tensor;

struct Problem {
  Tensor cameras;   // f64[n, 11]: rotation (3), centre (3), focal length, principal point (2), radial distortion (2)
  Tensor points;    // f64[m, 3]
  Tensor weights;   // f64[p]
  Tensor features;  // f64[p, 2]: where the point was seen in the image
  Tensor camera_index;  // i64[p]
  Tensor point_index;   // i64[p]
};

// Reads ADBench's format, which repeats one camera, point, weight and feature. With a perturbation each camera and each
// point is moved by its own (seeded) relative amount.
Problem read_problem(const std::string& path, double perturbation = 0);

// The first p observations.
Problem head(const Problem& all, int64_t p);

// X turned about the axis and by the angle of `rotation` (Rodrigues' formula).
//
// At rotation = 0 the plain formula divides 0 by 0, and so does its derivative. where() alone does not help: the
// derivative of the branch not taken is still computed, and 0 * NaN is NaN. So the angle is made safe before it is
// divided by, and where() picks the limit, X + rotation x X, whose derivative is right there.
inline Tensor rotate(const Tensor& rotation, const Tensor& X) {
  Tensor square = jot::sum(rotation * rotation);
  Tensor turns = square > 0;
  Tensor angle = jot::sqrt(jot::where(turns, square, 1.0));
  Tensor axis = rotation / angle, c = jot::cos(angle), s = jot::sin(angle);
  Tensor turned = X * c + jot::cross(axis, X) * s + axis * (jot::sum(axis * X) * (1 - c));
  return jot::where(turns, turned, X + jot::cross(rotation, X));
}

// Where a camera sees a point, in pixels.
inline Tensor project(const Tensor& camera, const Tensor& X) {
  Tensor rotation = camera.slice(0, 0, 3), centre = camera.slice(0, 3, 6), focal = camera[6];
  Tensor principal = camera.slice(0, 7, 9), k1 = camera[9], k2 = camera[10];
  Tensor seen = rotate(rotation, X - centre);
  Tensor p = seen.slice(0, 0, 2) / seen[2];
  Tensor r2 = jot::sum(p * p);
  return p * (1 + k1 * r2 + k2 * r2 * r2) * focal + principal;
}

inline Tensor residual(const Tensor& camera, const Tensor& X, const Tensor& weight, const Tensor& feature) {
  return weight * (project(camera, X) - feature);
}

// The blocks by camera [p, 2, 11], point [p, 2, 3] and weight [p, 2] of all observations.
inline std::tuple<Tensor, Tensor, Tensor> jacobian(const Tensor& cameras, const Tensor& points, const Tensor& weights,
                                                   const Tensor& features, const Tensor& camera_index,
                                                   const Tensor& point_index) {
  return jot::vmap(jot::jacrev<jot::argnums(0, 1, 2)>(residual))(cameras.index({camera_index}),
                                                                 points.index({point_index}), weights, features);
}

}  // namespace bundle_adjustment
