//! What every database must do, once for all of them. A database joins by naming a function that makes a
//! fresh store: `conformance!(fresh);` in its tests.

mod bodies;
mod calls;
mod claims;
mod endings;
mod gateways;
mod keys;
mod kit;
mod leases;
mod log;
mod objects;
mod platform;
mod services;
mod times;
mod transactions;

pub(crate) use bodies::*;
pub(crate) use calls::*;
pub(crate) use claims::*;
pub(crate) use endings::*;
pub(crate) use gateways::*;
pub(crate) use keys::*;
pub(crate) use kit::{Fresh, Kit, demand, mail, module, task};
pub(crate) use leases::*;
pub(crate) use log::*;
pub(crate) use objects::*;
pub(crate) use platform::*;
pub(crate) use services::*;
pub(crate) use times::*;
pub(crate) use transactions::*;

/// Every fact as a test of its own.
macro_rules! conformance {
    ($fresh:path) => {
        $crate::conformance::facts! { $fresh;
            // keys
            a_repeated_key_answers_with_the_first_id
            a_key_is_remembered_for_seven_days_past_the_end
            a_task_without_a_key_has_a_stable_one
            a_key_finds_the_tasks_that_begin_with_it
            // claims
            an_urgent_task_overtakes_the_mailing_queued_before_it
            a_day_of_waiting_outweighs_a_step_of_priority
            the_strict_order_knows_no_ageing
            equals_are_taken_by_age
            a_claim_takes_only_its_module_and_route
            a_turn_claims_at_most_a_hundred
            a_ceiling_counts_what_everybody_has_claimed
            unread_files_are_a_route_of_their_own
            while_paused_only_forced_tasks_go_out
            what_may_have_been_sent_goes_to_its_gateway_only
            counts_tell_where_tasks_stand
            lists_filter_and_page
            urgent_tasks_are_seen_by_their_routes
            // leases
            a_lost_lease_settles_nothing
            a_lost_lease_leaves_no_effect_and_no_log
            two_owners_never_have_one_task
            a_lease_is_extended_only_for_its_owner
            released_tasks_are_unharmed
            a_held_gateway_gives_attempts_back
            leases_are_listed_by_owner
            a_split_needs_its_lease
            // endings
            a_sent_task_leaves_the_table_and_stays_in_the_log
            an_inbox_row_is_written_exactly_once
            later_counts_an_error_and_waits
            an_unreached_gateway_costs_no_attempt
            a_failed_task_is_kept_with_its_reason
            an_unanswered_question_fails_the_task
            a_person_ends_what_nobody_is_sending
            what_ends_untried_is_logged_with_its_notice_and_contact
            a_person_retries_what_failed
            a_retry_forgets_a_gateway_that_is_gone
            failed_tasks_are_kept_for_thirty_days
            retention_works_in_chunks
            each_kind_is_kept_as_long_as_it_is_told
            // bodies
            a_notice_is_stored_once
            a_body_comes_back_as_it_was_given
            an_unused_blob_is_kept_for_seven_days
            a_file_is_split_into_one_task_each
            // times
            a_task_waits_for_its_time
            an_expired_task_leaves_with_a_log_row
            what_is_being_sent_does_not_expire
            a_claim_hands_out_nothing_that_has_lapsed
            the_next_due_moment_is_known
            a_backlog_of_due_tasks_is_moved_in_chunks
            // ordered objects
            an_object_has_one_task_at_a_time
            a_failed_or_asked_task_does_not_hold_its_object
            a_waiting_task_keeps_its_objects_turn
            who_follows_waits_for_the_first_attempt
            trouble_of_one_object_holds_nobody_else
            a_time_of_its_own_does_not_overtake_the_object
            cancel_and_expiry_let_the_next_go
            a_retried_task_goes_before_the_younger_ones
            a_row_deleted_by_hand_holds_nobody_for_long
            // log
            the_log_is_found_by_task_contact_user_and_reference
            the_log_tells_what_no_gate_had_by_its_time
            the_log_pages_and_follows
            the_log_tells_how_long_urgent_messages_waited
            what_lapses_unsent_counts_among_the_urgent
            // gateways
            a_gateway_rises_in_version_with_each_save
            a_downtime_opens_and_closes_with_the_state
            a_pause_is_a_downtime_of_the_whole_queue
            a_deleted_gateways_tasks_are_asked
            a_gateway_that_is_sending_is_not_deleted
            // platform
            projects_and_users_come_back_as_saved
            an_external_id_is_unique_in_its_project
            users_are_found_by_what_is_known_of_them
            a_new_contact_field_is_a_column
            a_project_with_users_stays
            subscriptions_are_rewritten
            the_inbox_is_read_and_pages
            an_incoming_message_is_stored_once
            what_follows_from_a_message_is_noted_step_by_step
            contacts_have_a_state
            a_forgotten_person_leaves_no_trace
            the_tasks_of_a_user_are_found_and_a_deleted_user_is_known
            settings_are_kept
            workers_come_beat_and_go
            // calls
            events_are_found_by_kind_object_and_time
            an_event_of_a_turn_is_told_exactly_once
            a_lost_lease_tells_nothing
            a_task_that_failed_for_good_is_an_event
            the_journal_is_found_by_call_function_and_name
            a_password_stands_apart_from_its_user
            who_signs_in_is_known_until_it_ends
            a_token_has_a_name_of_its_own
            a_callers_key_is_taken_once
            a_reply_token_is_good_once
            a_response_stays_with_its_log_row
            what_calls_leave_is_kept_as_long_as_it_is_told
            a_forgotten_person_is_in_no_event_and_no_response
            // services
            a_balance_is_moved_by_payments_alone
            an_account_with_users_stays
            what_is_sold_comes_back_as_saved
            services_are_found_by_user_server_and_state
            a_turn_settles_a_service
            a_user_with_open_services_stays
            a_provisioning_handler_acts_after_the_restart
            a_receiver_that_is_gone_is_switched_off_at_once
            agents_and_shared_values_are_kept
            // transactions
            an_error_rolls_everything_back
            a_waiting_worker_is_woken
        }
    };
}

macro_rules! facts {
    ($fresh:path; $($fact:ident)*) => {
        $(#[test] fn $fact() { $crate::conformance::$fact($fresh); })*
    };
}

pub(crate) use {conformance, facts};
