import { Fragment } from 'preact'
import type { AuditRowView, Explanation } from '../protocol/audit-views.ts'
import { get } from './api.ts'
import { Badge, Id } from './badge.tsx'
import { CopyButton } from './copy-button.tsx'
import { readFilter } from './decision-filters.tsx'
import { Loaded, useLoad } from './load.tsx'
import { ForeignText } from './marked-text.tsx'
import { href } from './route.ts'
import { ForScope } from './scope.tsx'
import { explanationShape } from './shapes.ts'
import { Moment } from './time.tsx'

/** Which check decided, against what, and what mends it; `search` is the filter of the decisions it was reached from. */
export function ExplanationPage({ id, search }: { id: string; search: URLSearchParams }) {
  return (
    <>
      <p class="crumb">
        <a href={href(['decisions'], readFilter(search))}>Live decisions</a>
      </p>
      <h1>Explanation</h1>
      <ForScope scope="audit:read">
        <ExplanationView id={id} />
      </ForScope>
    </>
  )
}

function ExplanationView({ id }: { id: string }) {
  const load = useLoad(`explain ${id}`, signal =>
    get(`/admin/v1/explain/${encodeURIComponent(id)}`, explanationShape, signal),
  )
  return (
    <Loaded load={load} what="the explanation">
      {explanation => (
        <>
          <Verdict explanation={explanation} />
          <section class="stack">
            <h2>Asked, and what the registry holds now</h2>
            <Facts facts={explanation.facts} />
          </section>
          <section class="stack">
            <h2>{explanation.rows.length === 1 ? 'The audit row' : 'The audit rows, oldest first'}</h2>
            {explanation.rows.map(row => (
              <Row key={row.id} row={row} />
            ))}
          </section>
        </>
      )}
    </Loaded>
  )
}

function Verdict({ explanation }: { explanation: Explanation }) {
  const { outcome, reason, check, mend, command, error_uri } = explanation
  return (
    <section class={`card verdict ${outcome}`}>
      <p>
        <Badge state={outcome} /> {reason !== null && <strong class="reason">{reason}</strong>}
      </p>
      <dl>
        <dt>Check</dt>
        <dd>{check}</dd>
        <dt>To do</dt>
        <dd>{mend}</dd>
        {command !== null && (
          <>
            <dt>Command</dt>
            <dd class="command">
              <code class="command-line">{command}</code>
              <CopyButton text={command} />
            </dd>
          </>
        )}
        {error_uri !== null && /^https?:/.test(error_uri) && (
          <>
            <dt>More</dt>
            <dd>
              <a href={error_uri} target="_blank" rel="noreferrer">
                The page of this error
              </a>
            </dd>
          </>
        )}
      </dl>
    </section>
  )
}

function Facts({ facts }: { facts: Explanation['facts'] }) {
  if (facts.length === 0) return <p class="quiet">Nothing to compare.</p>
  return (
    <dl class="card">
      {facts.map(({ name, value }) => (
        <Fragment key={name + value}>
          <dt>{name}</dt>
          <dd>
            <code class="id">
              <ForeignText text={value} />
            </code>
          </dd>
        </Fragment>
      ))}
    </dl>
  )
}

function Row({ row }: { row: AuditRowView }) {
  const { at, action, outcome, reason, details, leaf_hash, ...names } = row
  return (
    <article class="card">
      <p>
        <Badge state={outcome} /> <code>{action}</code> <Moment at={at} />
      </p>
      <dl class="facts">
        {Object.entries(names).map(
          ([name, value]) =>
            value !== null &&
            value !== '' && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <Id id={value} />
                </dd>
              </div>
            ),
        )}
        {Object.entries(details).map(([name, value]) => (
          <div key={`details.${name}`}>
            <dt>{name}</dt>
            <dd>
              <code class="id">
                <ForeignText text={typeof value === 'string' ? value : JSON.stringify(value)} />
              </code>
            </dd>
          </div>
        ))}
      </dl>
    </article>
  )
}
