#pragma once

namespace pystream {

/// The whole of a worker program: a program of one's own that links stages registered with PYSTREAM_STAGE calls this
/// from main() and is named to the coordinator (`--worker-program`, ParallelOptions::worker_program).
///
///     int main(int argc, char** argv) { return pystream::worker_main(argc, argv); }
///
/// Started by a coordinator it runs one worker; with `describe [PLUGIN ...]` it prints the stage types it knows,
/// with those of the plugins, as JSON.
int worker_main(int argc, char** argv);

}  // namespace pystream
