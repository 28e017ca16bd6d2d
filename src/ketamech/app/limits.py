"""Limits of one request, enforced by the server and shown on the page."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Limits(BaseModel):
    """Limits of the server. Times in seconds."""

    body_bytes: int = Field(256 * 1024, description="largest request")
    text_characters: int = Field(500, description="longest treatment, perturbation or other text of a scenario")
    band_patients: int = Field(2000, description="most virtual patients of one band")
    band_seconds: float = Field(20.0, description="longest time a band may take")
    trial_people: int = Field(60_000, description="most patients times replicates of one trial")
    job_seconds: float = Field(600.0, description="longest time a job may take")
    csv_numbers: int = Field(1_500_000, description="most numbers of one CSV; Parquet takes ten times as many")
    jobs_running: int = Field(2, description="jobs that run at once")
    jobs_waiting: int = Field(6, description="jobs that may wait")
    jobs_kept: int = Field(20, description="finished jobs whose results are kept")
    max_parallel: int = Field(2, description="requests computed at the same time; the others wait")
    computing_long: int = Field(
        1, description="bands and downloads computed at the same time, apart from the other requests"
    )
    cache_size: int = Field(256, description="responses stored in the cache")


LIMITS = Limits.model_validate({})
