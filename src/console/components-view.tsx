import type { ComponentChildren } from 'preact'
import type { ComponentsDiff, ComponentsView, DiffLine } from '../protocol/agent-views.ts'
import { Badge } from './badge.tsx'
import { MarkedText } from './marked-text.tsx'
import { Scroll } from './scroll.tsx'

/** The parts of one version, as text. */
export function ComponentsText({ components }: { components: ComponentsView }) {
  const { prompt, tools, configuration } = components
  return (
    <>
      <Part title="Prompt">
        <Code text={prompt} label="Prompt" />
      </Part>
      {tools.map(({ name, description, rest }) => (
        <Part key={name} title="Tool" name={name}>
          {description !== '' && (
            <p class="tool-description">
              <MarkedText text={description} />
            </p>
          )}
          <Code text={rest} label={`Tool ${name}`} />
        </Part>
      ))}
      {tools.length === 0 && <p class="quiet">No tools.</p>}
      <Part title="Configuration">
        <Code text={configuration} label="Configuration" />
      </Part>
    </>
  )
}

/** What differs from another version, part by part. */
export function ComponentsDiffView({ diff: { prompt, tools, configuration } }: { diff: ComponentsDiff }) {
  const same = [prompt, configuration].every(lines => !hasChanges(lines)) && tools.length === 0
  if (same) return <p class="quiet">Prompt, tools and configuration are the same.</p>
  return (
    <>
      {hasChanges(prompt) && (
        <Part title="Prompt">
          <Lines lines={prompt} label="Changes of the prompt" />
        </Part>
      )}
      {tools.map(({ name, change, lines }) => (
        <Part key={name} title="Tool" name={name} state={change}>
          {lines.length > 0 && <Lines lines={lines} label={`Changes of tool ${name}`} />}
        </Part>
      ))}
      {hasChanges(configuration) && (
        <Part title="Configuration">
          <Lines lines={configuration} label="Changes of the configuration" />
        </Part>
      )}
    </>
  )
}

function hasChanges(lines: readonly DiffLine[]): boolean {
  return lines.some(({ op }) => op === 'add' || op === 'remove')
}

function Part(props: { title: string; name?: string; state?: string; children: ComponentChildren }) {
  const { title, name, state, children } = props
  return (
    <section class="part">
      <h4>
        {title}{' '}
        {name !== undefined && (
          <code class="id">
            <MarkedText text={name} />
          </code>
        )}{' '}
        {state !== undefined && <Badge state={state} />}
      </h4>
      {children}
    </section>
  )
}

function Code({ text, label }: { text: string; label: string }) {
  return (
    <Scroll kind="code" label={label}>
      <pre>
        <MarkedText text={text} />
      </pre>
    </Scroll>
  )
}

const SIGN = { same: ' ', add: '+', remove: '-', skip: ' ' } as const

function Lines({ lines, label }: { lines: readonly DiffLine[]; label: string }) {
  return (
    <Scroll kind="code diff" label={label}>
      {lines.map((line, index) => (
        // A comparison never changes
        <Line key={index} line={line} />
      ))}
    </Scroll>
  )
}

function Line({ line: { op, text } }: { line: DiffLine }) {
  const Tag = op === 'add' ? 'ins' : op === 'remove' ? 'del' : 'div'
  return (
    <Tag class={`line ${op}`}>
      <span class="sign" aria-hidden="true">
        {SIGN[op]}
      </span>
      <span class="text">
        <MarkedText text={text} />
      </span>
    </Tag>
  )
}
