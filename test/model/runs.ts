/**
 * How many runs a piece does: so many in CI, `MODEL_TIMES` times as many where somebody has the time (docs/fuzzing.md).
 * @throws where `MODEL_TIMES` is not a whole number from 1
 */
export function runs(inCi: number): number {
  const times = Number(process.env.MODEL_TIMES ?? 1)
  if (!Number.isSafeInteger(times) || times < 1) throw new Error('MODEL_TIMES must be a whole number from 1.')
  return inCi * times
}
