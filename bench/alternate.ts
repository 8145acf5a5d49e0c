import { type Kind, type Round, runRound } from './run-round.ts'

/** All rounds of each kind, in the order of the rounds: the ones with one index ran within seconds of each other. */
export type Rounds = ReadonlyMap<string, readonly Round[]>

export type Course = {
  readonly rounds: number
  /** How long a round is to take; the number of its requests is set by the warm-up. */
  readonly seconds: number
  readonly report: (line: string) => void
}

/** Requests of the first warm-up round, then seconds of the next ones. */
const [FIRST, WARM_UP_SECONDS] = [256, [0.8, 1.5, 3]]

/**
 * Warms each kind up, then runs one round of each in turning order, every other time backwards: what drifts drifts for
 * all of them, and none always comes after the same one.
 */
export async function alternate(kinds: readonly Kind[], { rounds, seconds, report }: Course): Promise<Rounds> {
  const counts = new Map<string, number>()
  for (const kind of kinds) {
    let { rate } = await runRound(kind, FIRST)
    for (const time of WARM_UP_SECONDS) rate = (await runRound(kind, Math.ceil(rate * time))).rate
    counts.set(kind.name, Math.ceil(rate * seconds))
    report(`warm: ${kind.name}, ${rate.toFixed(0)} a second`)
  }
  const all = new Map<string, Round[]>(kinds.map(({ name }) => [name, []]))
  for (let turn = 0; turn < rounds; turn += 1) {
    const first = turn % kinds.length
    const turned = [...kinds.slice(first), ...kinds.slice(0, first)]
    for (const kind of turn % 2 === 0 ? turned : turned.reverse()) {
      all.get(kind.name)?.push(await runRound(kind, counts.get(kind.name) ?? FIRST))
    }
    report(`round ${turn + 1} of ${rounds}`)
  }
  return all
}
