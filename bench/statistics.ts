/** The median of a list that is not empty. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2
}

/**
 * A 95 % interval of the median by order statistics: no distribution is assumed, and the chance is that of the binomial
 * itself. Fewer than six values cannot carry one: then it is all of them.
 */
export function intervalOfMedian(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const left = Math.max(0, valuesOutside(sorted.length))
  return [sorted[left] ?? 0, sorted[sorted.length - 1 - left] ?? 0]
}

/** How many values may be left out at each end: the median is beyond the next one with a chance of at most 2.5 %. */
function valuesOutside(n: number): number {
  // ln of the chance that exactly k of n values lie below the median: n choose k, halved n times.
  let term = -n * Math.LN2
  let below = Math.exp(term)
  let k = 0
  while (below <= 0.025 && k < n) {
    term += Math.log((n - k) / (k + 1))
    below += Math.exp(term)
    k += 1
  }
  return k - 1
}
