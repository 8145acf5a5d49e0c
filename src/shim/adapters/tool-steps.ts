import type { Agent, StepOptions } from '../agent.ts'

/** The workflow step in which a tool runs; of its arguments and of what the framework calls its context, where it differs. */
export type ToolStep = StepOptions | ((input: unknown, context: unknown) => StepOptions)

/** By the name of the tool; a tool that is not named runs in whatever step its caller runs. */
export type ToolSteps = Readonly<Record<string, ToolStep>>

export type ToolCall = { readonly input: unknown; readonly context?: unknown }

/** The step of one call. */
export function stepOf(step: ToolStep | undefined, { input, context }: ToolCall): StepOptions | undefined {
  return typeof step === 'function' ? step(input, context) : step
}

/**
 * Runs a tool in its step, so that each call it makes carries a token of that step; without one in the step around it, but
 * as the work of its agent, so that it calls no other agent without a handoff.
 */
export async function inStep<T>(agent: Agent, step: StepOptions | undefined, work: () => Promise<T>): Promise<T> {
  return await agent.run(step ?? {}, work)
}

/** The member of that name which the object itself has. */
export function ownMember<T>(members: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined
}

/** Arguments as a model wrote them; what is no JSON stays text, for the tool to refuse. */
export function readArguments(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The answer of a tool, of one that gives it in parts the last: they are made while they are read, so in its step too. */
export async function lastPart(answer: unknown): Promise<unknown> {
  if (!isParts(answer)) return answer
  let last: unknown
  for await (const part of answer) last = part
  return last
}

function isParts(answer: unknown): answer is AsyncIterable<unknown> {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer
}
