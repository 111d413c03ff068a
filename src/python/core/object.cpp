#include "python/core/object.hpp"

#include "python/core/decoding.hpp"
#include "python/core/errors.hpp"

namespace pystream::python {

const Encoding& Object::encoding() const {
  if (!encoding_) {
    const Gil gil;
    encoding_.emplace(object_.get());
  }
  return *encoding_;
}

}  // namespace pystream::python

pystream::python::Object pystream::Codec<pystream::python::Object>::decode(std::span<const std::byte> from) {
  const python::Gil gil;
  return Object(python::Reference::stolen(python::decoded(from)));
}
