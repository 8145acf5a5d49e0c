import type { World } from './world.ts'

/** What the attacker has. Each power is taken by itself. */
export const POWERS = {
  m: 'what the model sees and says: prompts, tool results, tool lists, every argument that the agent passes on',
  n: 'the network that agents work over: reads, holds back, replays and changes what passes to the API and to Remit',
  s: 'something stolen: a token, or the credential of the client',
  c: 'code of its own in the agent’s process',
} as const
export type Power = keyof typeof POWERS

/** What came of one try: whether the attacker has what they wanted, and the answer that they saw. */
export type Seen = { readonly got: boolean; readonly answer: string }

/** One way to carry the threat out, for real, over HTTP. */
export type Attempt = {
  readonly what: string
  /** The answer that a refusal must be, to the letter: what fails for another reason shows nothing. */
  readonly refused?: string
  readonly run: () => Promise<Seen>
}

/** A threat under one power: tries in both worlds, made of a fresh set of agents. */
export type Case = {
  readonly power: Power
  /** Plain OAuth: what is tried there. Any success counts. */
  readonly plain: readonly Attempt[]
  readonly remit: readonly Attempt[]
  /** Under `c`, what success is worth at most: each must be refused in the way it says. */
  readonly bounds?: readonly Attempt[]
  /** Why it ends as it does, in one or two sentences. */
  readonly how: string
}

export type Threat = {
  readonly id: string
  readonly name: string
  /** What the attacker is after. */
  readonly aim: string
  readonly cases: readonly ((world: World) => Promise<Case>)[]
}
